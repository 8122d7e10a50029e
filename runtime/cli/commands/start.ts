// `runtime start`: runs jobs in one process until each is done, stopped, fenced or failed. One that fails is told at
// once and does not stop the others; the exit code is the worst.
import type { Command } from "commander";
import type { Trigger } from "../../contract/job.ts";
import { messageOf, TidemarkError } from "../../errors.ts";
import { type RunResult, runJob } from "../../programs/run-job.ts";
import { addJobFlags, type CommandContext, type JobFlags } from "../command-context.ts";
import { jobArguments } from "../command-names.ts";
import { showError } from "../error-screen.ts";
import { DONE, exitCodeOf, worstOf } from "../exit-codes.ts";
import { JobProgress } from "../job-progress.ts";
import { toJson } from "../json-output.ts";
import { LiveStatus } from "../live-status.ts";
import { type LoadedJob, loadJobs } from "../load-job.ts";
import { parseThreads, parseTrigger } from "../parse-values.ts";
import { runResultText } from "../run-result-text.ts";
import { StopSignals } from "../stop-signals.ts";

interface StartFlags extends JobFlags {
  readonly trigger?: string;
  readonly takeOver?: boolean;
  readonly threads?: string;
}

/** Adds the command. */
export function addStart(program: Command, context: CommandContext): void {
  const command = program
    .command("start")
    .summary("run jobs")
    .description("Runs jobs, each from where it stood. Several job files run in one process.")
    .argument("<job.ts...>", "job files")
    .option("--trigger <when>", "continuous, once, available-now, or a time such as 500ms or 5s")
    .option("--threads <n>", "run each job's tasks on so many threads (1 to 64)")
    .option("--take-over", "take the job over from a run that seems alive, instead of waiting")
    .action((jobFiles: string[], flags: StartFlags) => start(context, jobFiles, flags));
  addJobFlags(command, "start large-payments.ts\nstart large-payments.ts --trigger available-now");
}

async function start(context: CommandContext, jobFiles: readonly string[], flags: StartFlags): Promise<void> {
  const trigger = flags.trigger === undefined ? undefined : parseTrigger(flags.trigger);
  const threads = flags.threads === undefined ? undefined : parseThreads(flags.threads);
  let jobs: LoadedJob[];
  try {
    jobs = await loadJobs(jobFiles, flags.checkpoint);
  } catch (error) {
    const [jobFile, other] = jobFiles;
    const isOne = jobFile !== undefined && other === undefined;
    showError(context.screen, error, isOne ? { jobArgs: jobArguments(jobFile, flags.checkpoint) } : {});
    context.exitCode = exitCodeOf(error);
    return;
  }
  await using run = new Run(context, flags, { trigger, threads });
  const codes = await Promise.all(jobs.map((job) => run.run(job, jobs.length === 1)));
  context.exitCode = worstOf(codes);
}

/** What was typed instead of the jobs' own. */
interface Typed {
  readonly trigger: Trigger | undefined;
  readonly threads: number | undefined;
}

/** All jobs of one `runtime start`. */
class Run implements AsyncDisposable {
  readonly #context: CommandContext;
  readonly #flags: StartFlags;
  readonly #typed: Typed;
  readonly #live: LiveStatus | undefined;
  readonly #signals: StopSignals;
  readonly #running = new Map<string, JobProgress>();

  constructor(context: CommandContext, flags: StartFlags, typed: Typed) {
    this.#context = context;
    this.#flags = flags;
    this.#typed = typed;
    const area = context.screen.liveArea();
    this.#live = area && new LiveStatus(area);
    this.#signals = new StopSignals({ onStop: () => this.#tellStop(), onAbort: () => this.#tellAbort() });
  }

  /** Runs one job to its end and tells how it ended. @returns its exit code */
  async run(loaded: LoadedJob, isAlone: boolean): Promise<number> {
    const { screen } = this.#context;
    const { job, args } = loaded;
    const hasLines = this.#live === undefined;
    const progress = new JobProgress({ screen, job: job.name, jobArgs: args, hasLines });
    this.#running.set(job.name, progress);
    this.#live?.add(job.name, progress);
    try {
      const result = await runJob(job, this.#options(loaded, progress));
      this.#finish(job.name, progress);
      this.#print(loaded, result, isAlone);
      return result.reason === "stopped" ? (this.#signals.exitCode ?? DONE) : DONE;
    } catch (error) {
      const batchId = progress.batchInHand;
      this.#finish(job.name, progress);
      return this.#failed(loaded, error, batchId);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#live?.[Symbol.dispose]();
    this.#signals[Symbol.dispose]();
  }

  #options({ baseDir, path }: LoadedJob, progress: JobProgress) {
    const { checkpoint, takeOver } = this.#flags;
    const { trigger, threads } = this.#typed;
    return {
      baseDir,
      jobFile: path,
      signal: this.#signals.stop,
      abortSignal: this.#signals.abort,
      takeOver: takeOver === true,
      onEvent: (event: Parameters<JobProgress["on"]>[0]) => progress.on(event),
      ...(checkpoint === undefined ? {} : { checkpoint }),
      ...(trigger === undefined ? {} : { trigger }),
      ...(threads === undefined ? {} : { threads }),
    };
  }

  #finish(name: string, progress: JobProgress): void {
    progress.end();
    this.#running.delete(name);
    this.#live?.remove(name);
  }

  #print(loaded: LoadedJob, result: RunResult, isAlone: boolean): void {
    const { screen } = this.#context;
    const { name, definition } = loaded.job;
    const checkpoint = this.#flags.checkpoint ?? definition.checkpoint;
    const isForgotten = typeof checkpoint === "string" && checkpoint.startsWith("memory:");
    if (this.#flags.json) {
      screen.print(toJson({ job: name, ...result }, { indent: false }));
      return;
    }
    const text = runResultText(loaded, result, { hasNext: isAlone && !isForgotten });
    // Rows on stdout are the result; what is said about them would be in the way of whoever reads them.
    if (definition.sink.kind === "console") screen.log("info", text);
    else screen.print(text);
  }

  #failed({ job: { name }, args }: LoadedJob, error: unknown, batchId: number | undefined): number {
    const { screen } = this.#context;
    const exitCode = this.#signals.abort.aborted ? this.#signals.exitCode : undefined;
    if (exitCode !== undefined) {
      const inHand = batchId === undefined ? "" : ` in batch ${batchId}: it runs again at the next start`;
      screen.log("warning", `aborted${inHand}`, { job: name, batchId });
    } else {
      showError(screen, error, { job: name, jobArgs: args });
      const others = [...this.#running.keys()].join(", ");
      if (others !== "") screen.log("warning", `has ended; still running: ${others}`, { job: name });
    }
    if (this.#flags.json) {
      const { code = "UNEXPECTED", hint } = error instanceof TidemarkError ? error : {};
      const told = { code, message: messageOf(error), hint };
      const reason = exitCode === undefined ? "failed" : "aborted";
      screen.print(toJson({ job: name, reason, error: told }, { indent: false }));
    }
    return exitCode ?? exitCodeOf(error);
  }

  #tellStop(): void {
    for (const [job, progress] of this.#running) {
      const batchId = progress.batchInHand;
      const what = batchId === undefined ? "stopping" : `finishing batch ${batchId}`;
      this.#context.screen.log("info", `${what}; press Ctrl-C again to abort`, { job, batchId });
    }
  }

  #tellAbort(): void {
    this.#context.screen.log("warning", "aborting; what is in hand is given up");
  }
}
