// Kafka in, and nothing, Postgres or Kafka out, on the servers that `npm run servers -- env` names, beside what the
// same rows cost without us: psql's COPY. Each round runs every program once, in turn, in a process of its own.
// Usage: npm run bench -- kafka [--records N] [--rounds N]
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { print, spread, text } from "./report.ts";

const PROGRAMS = ["count-values", "count-json", "copy", "to-postgres", "to-kafka"] as const;

const { values } = parseArgs({
  options: { records: { type: "string", default: "1000000" }, rounds: { type: "string", default: "3" } },
  allowPositionals: true,
});
const run = randomBytes(4).toString("hex");
const dir = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
try {
  execute("load");
  const results = new Map<string, { speed: number; peakMb: number; cpuSeconds: number }[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const program of PROGRAMS) results.set(program, [...(results.get(program) ?? []), execute(program)]);
  }
  print(`${Number(values.records).toLocaleString("en")} JSON records of about 100 bytes, 4 partitions, one thread`);
  for (const [program, measured] of results) {
    const speed = text(spread(measured.map((each) => each.speed / 1000)));
    const peak = Math.max(...measured.map(({ peakMb }) => peakMb)).toFixed(0);
    const cpu = spread(measured.map(({ cpuSeconds }) => cpuSeconds)).median.toFixed(1);
    print(`  ${program.padEnd(13)} ${speed} k records/s, ${cpu} CPU s, peak ${peak} MB`);
  }
} finally {
  execute("tidy");
  rmSync(dir, { recursive: true, force: true });
}

function execute(program: string): { speed: number; peakMb: number; cpuSeconds: number } {
  const file = fileURLToPath(new URL("kafka-program.ts", import.meta.url));
  const args = [file, program, run, values.records, dir];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 600_000, env: process.env }));
}
