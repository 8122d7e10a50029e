// What a job thread runs: loads the job's file as the command does (so `tidemark` is this very package, wherever the
// job lies), and serves tasks of it. It lies here because this is where job files are loaded; the engine is given its
// URL.
import { parentPort, workerData } from "node:worker_threads";
import { enterJobThread } from "../engine/threads/in-job-thread.ts";
import type { JobThreadStart } from "../engine/threads/messages.ts";
import { toPortable } from "../engine/threads/portable-error.ts";
import { TaskServer } from "../engine/threads/task-server.ts";
import { ConfigError } from "../errors.ts";
import { loadJob } from "./load-job.ts";

if (parentPort === null) throw new Error("this runs in a thread only");
const port = parentPort;
const start = workerData as JobThreadStart;
enterJobThread();
try {
  const { job } = await loadJob(start.jobFile, undefined);
  if (job.name !== start.jobName) {
    throw new ConfigError(`${start.jobFile} holds the job "${job.name}", not "${start.jobName}"`, {
      hint: "jobFile must be the file whose default export is the job",
    });
  }
  new TaskServer(job.definition, start, port);
} catch (error) {
  port.postMessage({ is: "unusable", error: toPortable(error) });
}
