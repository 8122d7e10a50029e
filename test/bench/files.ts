// The main job beside the bare loop that does the same work by hand, in turns, each in a process of its own: records
// a second, peak memory, and the ratio of the two. Then the cost of a batch of its own: many batches of one record
// each. Usage: npm run bench -- files [--records N] [--rounds N]
import { execFileSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { print, spread, text } from "./report.ts";

const PARTITIONS = 4;

interface Measured {
  readonly records: number;
  readonly seconds: number;
  readonly peakMb: number;
}

const { values } = parseArgs({
  options: { records: { type: "string", default: "1000000" }, rounds: { type: "string", default: "5" } },
  allowPositionals: true,
});
const records = Number(values.records);
const rounds = Number(values.rounds);
const dir = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
try {
  await layOutPayments(join(dir, "in"), records);
  compareThroughput();
  batchOverhead();
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function compareThroughput(): void {
  const programs = ["bare-loop", "main-job"] as const;
  const results = new Map<string, Measured[]>(programs.map((program) => [program, []]));
  for (let round = 0; round < rounds; round++) {
    for (const program of programs) results.get(program)?.push(run(program));
  }
  print(`${records.toLocaleString("en")} JSON records in ${PARTITIONS} partitions: filter, map, one NDJSON file`);
  const speeds = programs.map((program) => {
    const measured = results.get(program) ?? [];
    const speed = spread(measured.map((each) => each.records / each.seconds / 1000));
    const peak = Math.max(...measured.map(({ peakMb }) => peakMb));
    print(`  ${program.padEnd(10)} ${text(speed)} k records/s, peak ${peak.toFixed(0)} MB`);
    return speed.median;
  });
  print(`  main job / bare loop: ${((speeds[1] ?? 0) / (speeds[0] ?? 1)).toFixed(2)}`);
}

function batchOverhead(): void {
  const { batchesMs } = JSON.parse(execute("small-batches")) as { batchesMs: number[] };
  const sorted = batchesMs.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  print(
    `${sorted.length} batches of one record, file sink and file store: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms a batch`,
  );
}

function run(program: string): Measured {
  return JSON.parse(execute(program)) as Measured;
}

function execute(program: string): string {
  const file = fileURLToPath(new URL(`${program}.ts`, import.meta.url));
  return execFileSync(process.execPath, [file, dir, String(records)], { encoding: "utf8", timeout: 300_000 });
}

/** Payments of about 100 bytes, the same at every run. */
async function layOutPayments(into: string, count: number): Promise<void> {
  const { mkdir } = await import("node:fs/promises");
  await mkdir(into, { recursive: true });
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const file = createWriteStream(join(into, `${partition}.ndjson`));
    let chunk = "";
    for (let id = partition; id < count; id += PARTITIONS) {
      const amount = ((id * 31) % 100_000) / 100;
      const user = `u${(id * 7919) % 100_000}`;
      const item = `sku-${id % 10_000}`;
      chunk += `${JSON.stringify({ id, user, amount, ts: 1_700_000_000_000 + id, status: "new", item, q: id % 7 })}\n`;
      if (chunk.length < 1 << 16) continue;
      if (!file.write(chunk)) await new Promise<void>((resolve) => file.once("drain", () => resolve()));
      chunk = "";
    }
    file.end(chunk);
    await finished(file);
  }
}
