// A program for the memory test: runs a job of many batches of one record each, all on disk, and says after some of
// them how much memory it holds, one JSON line each, and at the end how long a batch takes. Usage: node many-batches.ts
// DIR SINK BATCHES…
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filter, map } from "rxjs";
import { fileSink, fileSource } from "../../connectors/files/index.ts";
import { defineJob, json, runJob } from "../../runtime/index.ts";

const collectGarbage = globalThis.gc ?? (() => {});
const [, , dir = "", sink = "file", ...counts] = process.argv;
const looks = counts.map(Number);
const batches = looks.at(-1) ?? 0;
const durationsMs: number[] = [];

mkdirSync(join(dir, "in"), { recursive: true });
const lines = Array.from({ length: batches }, (_, id) => `${JSON.stringify({ id, name: `name ${id}` })}\n`);
writeFileSync(join(dir, "in", "0.ndjson"), lines.splice(0).join(""));

const job = defineJob({
  name: "many-batches",
  source: fileSource({ dir: "in", value: json<{ id: number; name: string }>() }),
  pipeline: (records$) =>
    records$.pipe(
      filter(({ value }) => value.id >= 0),
      map(({ value }) => ({ id: value.id, name: value.name })),
    ),
  sink: sink === "file" ? fileSink({ dir: "out" }) : async () => {},
  trigger: "available-now",
  maxOffsetsPerBatch: 1,
  retainBatches: 100,
});

let last = performance.now();
let completed = 0;
await runJob(job, {
  baseDir: dir,
  onEvent(event) {
    if (event.type === "warning") process.stderr.write(`${event.message}\n`);
    if (event.type !== "completed") return;
    completed++;
    if (completed <= (looks[0] ?? 0)) durationsMs.push(performance.now() - last);
    if (looks.includes(completed)) {
      collectGarbage();
      const { rss, heapUsed, external } = process.memoryUsage();
      process.stdout.write(`${JSON.stringify({ completed, rss, heapUsed, external })}\n`);
    }
    last = performance.now();
  },
});
durationsMs.sort((a, b) => a - b);
const at = (share: number) => durationsMs[Math.floor(durationsMs.length * share)] ?? 0;
process.stdout.write(`${JSON.stringify({ p50Ms: at(0.5), p99Ms: at(0.99) })}\n`);
