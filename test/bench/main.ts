// `npm run bench -- NAME [options]`: runs one benchmark. None of them is a test: what they print depends on the
// machine.
const benchmarks: Record<string, () => Promise<unknown>> = {
  files: () => import("./files.ts"),
  kafka: () => import("./kafka.ts"),
  stores: () => import("./stores.ts"),
};

const benchmark = benchmarks[process.argv[2] ?? ""];
if (benchmark === undefined) {
  process.stderr.write(
    `npm run bench -- NAME [--records N] [--rounds N]; names: ${Object.keys(benchmarks).join(", ")}\n`,
  );
  process.exitCode = 2;
} else {
  await benchmark();
}
