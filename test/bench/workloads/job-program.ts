// Run by ours.ts: a job of jobs/ by the public `runJob`, to its end. Prints one line, RESULT and JSON. Arguments: the
// job's file, a folder for its checkpoint, threads.
import { pathToFileURL } from "node:url";
import type { Job } from "../../../runtime/index.ts";
import { runJob } from "../../../runtime/index.ts";
import type { RunReport } from "./contestant.ts";
import type { Digest } from "./expected.ts";

const [file = "", baseDir = ".", threads = "1"] = process.argv.slice(2);
const { default: job, digest } = (await import(pathToFileURL(file).href)) as { default: Job; digest?: Digest };
let firstRecordAtMs: number | undefined;
const startedAtMs = Date.now();
await runJob(job, {
  baseDir,
  jobFile: file,
  threads: Number(threads),
  onEvent: ({ type }) => {
    if (type === "planned") firstRecordAtMs ??= Date.now();
  },
});
const report: RunReport = {
  startedAtMs,
  doneAtMs: Date.now(),
  ...(firstRecordAtMs !== undefined && { firstRecordAtMs }),
  ...(digest !== undefined && { digest: { ...digest } }),
};
process.stdout.write(`RESULT ${JSON.stringify(report)}\n`);
