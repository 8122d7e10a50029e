// Run by files.ts: the main job over the payments in DIR/in, timed inside of the process. Arguments: DIR, records.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { filter, map } from "rxjs";
import { fileSink, fileSource } from "../../connectors/files/index.ts";
import { defineJob, json, runJob } from "../../runtime/index.ts";

const [dir = "", records = "0"] = process.argv.slice(2);
const job = defineJob({
  name: "payments",
  source: fileSource({ dir: "in", value: json<{ id: number; user: string; amount: number }>() }),
  pipeline: (records$) =>
    records$.pipe(
      filter(({ value }) => value.amount > 50),
      map(({ value }) => ({ id: value.id, user: value.user, amount: value.amount })),
    ),
  sink: fileSink({ dir: "out", format: "ndjson" }),
  trigger: "available-now",
});
const began = performance.now();
const result = await runJob(job, { baseDir: dir });
const seconds = (performance.now() - began) / 1000;
if (result.records !== Number(records)) throw new Error(`${result.records} records instead of ${records}`);
for (const made of ["out", ".tidemark", "in/.tidemark-index"])
  rmSync(join(dir, made), { recursive: true, force: true });
process.stdout.write(
  JSON.stringify({ records: result.records, seconds, peakMb: process.resourceUsage().maxRSS / 1024 }),
);
