// On how many threads a run's tasks run: what was asked for, where the job's parts can be on other threads at all.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import type { NormalizedJob } from "../contract/job.ts";
import { checkThreads } from "../define-job.ts";
import { inlineTasks } from "../engine/inline-tasks.ts";
import type { TaskEngine } from "../engine/task-engine.ts";
import { inJobThread } from "../engine/threads/in-job-thread.ts";
import { ThreadedTasks } from "../engine/threads/threaded-tasks.ts";
import { ConfigError } from "../errors.ts";

/** What job threads run; the engine knows no command line, so it is found by its place. */
const program = new URL(`../cli/job-thread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

export interface ThreadOptions {
  /** Instead of the job's own `threads`. */
  readonly threads?: number;
  /**
   * The file whose default export is this job, by its path or URL: threads load it. Needed when there is more than one,
   * and not the file that calls `runJob`.
   */
  readonly jobFile?: string | URL;
}

interface Where {
  readonly job: NormalizedJob;
  readonly baseDir: string;
  readonly clock: Clock;
  readonly onWarning: (message: string) => void;
}

/**
 * The engine for a run; disposing of it ends its threads.
 * @throws ConfigError the number of threads is wrong, or the job's file is not known
 */
export function chooseTasks({ threads: asked, jobFile }: ThreadOptions, where: Where): TaskEngine {
  const { job, baseDir, clock, onWarning } = where;
  if (inJobThread()) {
    throw new ConfigError("the job's file runs the job when it is loaded, so its threads cannot load it", {
      hint: "keep the job in a file of its own, and pass that to runJob as jobFile",
    });
  }
  const threads = asked === undefined ? job.threads : checkThreads(asked);
  if (threads === 1) return inlineTasks;
  if (job.source.isInMemory) {
    onWarning(
      `it runs on one thread, not ${threads}: only the main thread has the ${job.source.kind} source's records`,
    );
    return inlineTasks;
  }
  if (jobFile === undefined) {
    throw new ConfigError(`${threads} threads need the job's file, which each of them loads`, {
      hint: 'runJob(job, { jobFile: new URL("./job.ts", import.meta.url) }), or threads: 1',
    });
  }
  const isUrl = jobFile instanceof URL || jobFile.startsWith("file:");
  const path = isUrl ? fileURLToPath(jobFile) : resolve(jobFile);
  const start = { jobFile: path, jobName: job.name, baseDir };
  return new ThreadedTasks({ threads, start, program, clock, onWarning });
}
