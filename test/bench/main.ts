// `npm run bench -- NAME [options]`: runs one benchmark. None of them is a test: what they print depends on the
// machine.
import { print } from "./report.ts";

interface Benchmark {
  readonly about: string;
  /** Loading it runs it. */
  readonly run: () => Promise<unknown>;
}

/** Tidemark alone, or beside bare code; on the servers that `npm run servers -- env` names, where it needs any. */
const alone: Readonly<Record<string, Benchmark>> = {
  "batch-cpu": { about: "what a tiny batch takes of the processor", run: () => import("./batch-cpu.ts") },
  files: { about: "files to files, beside a bare loop", run: () => import("./files.ts") },
  json: { about: "projected JSON, beside JSON.parse", run: () => import("./projected-json.ts") },
  kafka: { about: "Kafka to nothing, Postgres and Kafka, beside psql", run: () => import("./kafka.ts") },
  latency: { about: "records at a steady rate, idling, many partitions", run: () => import("./latency.ts") },
  stores: { about: "an append on each store, beside the bare client", run: () => import("./stores.ts") },
};
const beside = { about: "beside other engines", run: () => import("./workloads/main.ts") };
const compared = Object.fromEntries(["all", "quick", "w0", "w1", "w2", "w3", "w4", "w5"].map((name) => [name, beside]));

const name = process.argv[2] ?? "--help";
const benchmark = { ...alone, ...compared, "--help": beside }[name];
if (benchmark === undefined) {
  process.stderr.write(`There is no benchmark ${name}; type: npm run bench -- --help\n`);
  process.exitCode = 2;
} else {
  if (name === "--help") {
    print("Tidemark alone, or beside bare code (npm run bench -- NAME [--records N] [--rounds N]):\n");
    for (const [each, { about }] of Object.entries(alone)) print(`  ${each.padEnd(9)}  ${about}`);
    print("");
    process.argv[2] = "--help";
  }
  await benchmark.run();
}
