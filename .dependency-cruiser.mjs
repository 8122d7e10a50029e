// Which folder may know which: the direction of dependencies (ARCHITECTURE.md) as rules. The engine knows interfaces
// only; the parts know the engine's public surface only; and the places where parts are put together are named one by
// one.

const product = "^(runtime|connectors|checkpoints)/";

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "no-cycles",
      comment: "A cycle, even of types, means that two files are one idea. What is loaded when needed closes none.",
      severity: "error",
      from: { pathNot: "^test/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["dynamic-import"] } },
    },
    {
      name: "no-cycles-in-tests",
      comment: "A simulated world and its parts may know one another's types, but nothing may need itself to load.",
      severity: "error",
      from: { path: "^test/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["dynamic-import", "type-only"] } },
    },
    {
      name: "contracts-stand-alone",
      comment: "The contracts are what everything else agrees on: they import nothing but one another.",
      severity: "error",
      from: { path: "^runtime/contract/" },
      to: { path: "^(runtime|connectors|checkpoints|jobs|test)/", pathNot: "^runtime/contract/" },
    },
    {
      name: "engine-knows-interfaces-only",
      comment: "Parts are found by URL in runtime/open-store.ts, or named on the command line: nowhere else.",
      severity: "error",
      from: { path: "^runtime/", pathNot: "^runtime/(open-store\\.ts|cli/)" },
      to: { path: "^(connectors|checkpoints)/" },
    },
    {
      name: "stores-are-loaded-when-needed",
      comment: "runtime/open-store.ts may import stores, and only when a URL asks for them.",
      severity: "error",
      from: { path: "^runtime/open-store\\.ts$" },
      to: { path: "^(connectors|checkpoints)/", dynamic: false },
    },
    {
      name: "open-store-opens-stores",
      severity: "error",
      from: { path: "^runtime/open-store\\.ts$" },
      to: { path: "^connectors/" },
    },
    {
      name: "command-line-loads-connectors-when-needed",
      comment: "The command line may import connectors (--sink) when asked for; stores come through open-store.ts.",
      severity: "error",
      from: { path: "^runtime/cli/" },
      to: { path: "^connectors/", dynamic: false },
    },
    {
      name: "command-line-opens-stores-by-url",
      severity: "error",
      from: { path: "^runtime/cli/" },
      to: { path: "^checkpoints/" },
    },
    {
      name: "command-line-on-top",
      comment: "The engine is used by programs too: nothing in it may need the command line.",
      severity: "error",
      from: { path: product, pathNot: "^runtime/cli/" },
      to: { path: "^runtime/cli/" },
    },
    {
      name: "parts-use-the-public-surface",
      comment: "A connector or store that needs more than runtime/index.ts gives is one that others could not write.",
      severity: "error",
      from: { path: "^(connectors|checkpoints)/" },
      to: { path: "^runtime/", pathNot: "^runtime/index\\.ts$" },
    },
    {
      name: "connectors-stand-alone",
      comment: "But for pure formats, and the client of a system by which another one's servers are found.",
      severity: "error",
      from: { path: "^connectors/([^/]+)/" },
      to: { path: "^(connectors|checkpoints)/", pathNot: "^connectors/($1/|formats/|zookeeper/client\\.ts$)" },
    },
    {
      name: "stores-share-clients-only",
      comment: "A store may use its system's connection, from connectors/<system>/client.ts or for-stores.ts.",
      severity: "error",
      from: { path: "^checkpoints/" },
      to: { path: "^connectors/", pathNot: "^connectors/[^/]+/(client|for-stores)\\.ts$" },
    },
    {
      name: "jobs-are-written-as-users-write-them",
      comment: "By the package's name, never by a path into it.",
      severity: "error",
      from: { path: "^jobs/" },
      to: { path: "^(runtime|connectors|checkpoints|test)/", dependencyTypesNot: ["aliased"] },
    },
    {
      name: "product-stands-alone",
      severity: "error",
      from: { path: product },
      to: { path: "^(jobs|test)/" },
    },
    {
      name: "product-uses-what-users-get",
      comment: "A development dependency is not there once the package is installed.",
      severity: "error",
      from: { path: product },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm-peer", "type-only"] },
    },
    {
      name: "everything-resolves",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|coverage)/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] },
  },
};
