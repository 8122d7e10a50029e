// `npm run bench -- NAME [options]`: runs one benchmark. None of them is a test: what they print depends on the
// machine.
const comparison = () => import("./workloads/main.ts");
const benchmarks: Record<string, () => Promise<unknown>> = {
  all: comparison,
  quick: comparison,
  w0: comparison,
  w1: comparison,
  w2: comparison,
  w3: comparison,
  w4: comparison,
  w5: comparison,
  "batch-cpu": () => import("./batch-cpu.ts"),
  files: () => import("./files.ts"),
  json: () => import("./projected-json.ts"),
  kafka: () => import("./kafka.ts"),
  latency: () => import("./latency.ts"),
  stores: () => import("./stores.ts"),
};

const name = process.argv[2] ?? "";
const benchmark = name === "--help" ? comparison : benchmarks[name];
if (benchmark === undefined) {
  process.stderr.write(
    `npm run bench -- NAME [--records N] [--rounds N]; names: ${Object.keys(benchmarks).join(", ")}\n`,
  );
  process.exitCode = 2;
} else {
  await benchmark();
}
