// Run by files.ts: batches of one record each, from plan to completion, with the file store and the file sink.
// Arguments: DIR.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { map } from "rxjs";
import { fileSink } from "../../connectors/files/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, runJob } from "../../runtime/index.ts";

const BATCHES = 1_000;
const [dir = ""] = process.argv.slice(2);
const job = defineJob({
  name: "small",
  source: memorySource({ records: Array.from({ length: BATCHES }, (_, id) => ({ id })) }),
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: fileSink({ dir: "small", format: "ndjson" }),
  trigger: "available-now",
  maxOffsetsPerBatch: 1,
});
const batchesMs: number[] = [];
let last = performance.now();
await runJob(job, {
  baseDir: dir,
  onEvent: ({ type }) => {
    if (type !== "completed") return;
    batchesMs.push(performance.now() - last);
    last = performance.now();
  },
});
for (const made of ["small", ".tidemark"]) rmSync(join(dir, made), { recursive: true, force: true });
process.stdout.write(JSON.stringify({ batchesMs }));
