// Puts what the Kafka connector uses of its library into one file of the package. The library's entry point loads
// hundreds of modules, most of them for clients that are not used here; there is no other way into it. What was put in
// is told by its licences.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

/** Reads a file of WebAssembly that lies beside it, so it stays a dependency. */
const apart = "@platformatic/wasm-utils";

export interface BundleOptions {
  /** The module that names what is used. */
  readonly input: string;
  /** May be the same file. */
  readonly file: string;
  /** Gets the licences of all that was put in. */
  readonly licenses: string;
}

/** @throws when the library needs more than it did: another package at run time, or one without a licence */
export async function bundleKafkaLibrary({ input, file, licenses }: BundleOptions): Promise<void> {
  await using bundle = await rolldown({
    input,
    platform: "node",
    external: [apart],
    treeshake: {
      // The library's modules only define things; what checks the options of its clients is made when they load.
      moduleSideEffects: false,
      manualPureFunctions: ["ajv", "Ajv2020"],
    },
  });
  const { output } = await bundle.write({ file, format: "esm", codeSplitting: false });
  const [chunk] = output;
  const unknown = chunk.imports.filter((name) => name !== apart && !name.startsWith("node:"));
  if (unknown.length > 0) throw new Error(`the Kafka library needs ${unknown.join(", ")} now`);
  const packages = new Set(chunk.moduleIds.map(packageOf).filter((folder) => folder !== undefined));
  writeFileSync(licenses, [...packages].sort().map(licenseOf).join("\n"));
}

/** The folder of the package that a module is in. */
function packageOf(moduleId: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(moduleId.replaceAll("\\", "/"))?.[0];
}

function licenseOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} has no licence in ${folder}`);
  const text = readFileSync(join(folder, file), "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}\n\n${"-".repeat(80)}\n`;
}
