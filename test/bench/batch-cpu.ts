// What a batch takes of the processor by itself: planning, recording, handing over. Batches of one record a partition,
// from memory to a function that does nothing, so that hardly anything else is in it. In CPU time of the whole process
// (the compiler's and the collector's threads too), which other programs on the machine disturb little.
// Usage: npm run bench -- batch-cpu [--rounds N]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { map } from "rxjs";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, runJob } from "../../runtime/index.ts";
import { print, spread } from "./report.ts";

const BATCHES = 2_000;
const MOST_MS = 1;

const cases = [
  ["memory:", 1],
  ["file:", 1],
  ["file:", 4],
  ["file:", 100],
] as const;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } }, allowPositionals: true });
print("CPU ms of a batch of one record a partition, from memory to a function: plan, record, hand over");
let runs = 0;
for (const [checkpoint, partitions] of cases) {
  const found: { all: number; own: number }[] = [];
  // The first round is not counted: it compiles.
  for (let round = 0; round <= Number(values.rounds); round++) found.push(await cpuOfBatch(checkpoint, partitions));
  const { median, min, max } = spread(found.slice(1).map(({ all }) => all));
  const own = spread(found.slice(1).map((each) => each.own)).median;
  const verdict = median <= MOST_MS ? "ok" : `MORE THAN ${MOST_MS}`;
  const what = `${checkpoint} ${partitions} partition${partitions === 1 ? "" : "s"}`;
  const range = `${median.toFixed(3)} [${min.toFixed(3)}–${max.toFixed(3)}]`;
  print(`  ${what.padEnd(22)} ${range}, outside of the kernel ${own.toFixed(3)} ${verdict}`);
}

/** In ms; `all` is the process's, `own` its part outside of the kernel. */
async function cpuOfBatch(checkpoint: string, partitions: number): Promise<{ all: number; own: number }> {
  const dir = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
  const values = Array.from({ length: BATCHES }, (_, id) => id);
  const job = defineJob({
    name: `tiny-${++runs}`,
    source: memorySource({ partitions: Array.from({ length: partitions }, () => values) }),
    pipeline: (records$) => records$.pipe(map(({ value }) => value)),
    sink: async () => {},
    checkpoint: checkpoint === "file:" ? `file:${dir}` : checkpoint,
    trigger: "available-now",
    maxOffsetsPerBatch: partitions,
  });
  const before = process.cpuUsage();
  const { batches } = await runJob(job);
  const { user, system } = process.cpuUsage(before);
  rmSync(dir, { recursive: true, force: true });
  return { all: (user + system) / 1000 / batches, own: user / 1000 / batches };
}
