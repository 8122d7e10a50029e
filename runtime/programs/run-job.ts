// `runJob`: runs a job in terms until it is done, stopped, fenced or failed. Whatever can be tried again ends the term,
// and after a pause (retries.ts) a new one recovers from the log.
import { availableParallelism } from "node:os";
import type { Clock } from "../clock.ts";
import type { Job, Trigger } from "../contract/job.ts";
import type { Heartbeat } from "../contract/store.ts";
import { checkTrigger } from "../define-job.ts";
import { waitForOtherRun } from "../engine/heartbeat.ts";
import { inlineTasks } from "../engine/inline-tasks.ts";
import { newRunMemory } from "../engine/look.ts";
import { runTerm } from "../engine/scheduler.ts";
import { openTerm, type TermInput } from "../engine/term.ts";
import { isRetryable, originalError } from "../errors.ts";
import type { EndReason, JobEvent, JobListener } from "../events.ts";
import { newRunIdentity } from "../journal/may-take-over.ts";
import { chooseTasks, type ThreadOptions } from "./choose-tasks.ts";
import { type ProgramOptions, withProgram } from "./program.ts";
import { Retries } from "./retries.ts";
import { ThreadAdvice } from "./thread-advice.ts";

export interface RunOptions extends ProgramOptions, ThreadOptions {
  /** Instead of the job's own trigger. */
  readonly trigger?: Trigger;
  /** Takes over from a run that seems alive, instead of waiting until it does not. */
  readonly takeOver?: boolean;
  readonly onEvent?: JobListener;
  /** Stops after the batch in hand. */
  readonly signal?: AbortSignal;
  /** Gives up the batch in hand; it runs again at the next start. */
  readonly abortSignal?: AbortSignal;
}

export interface RunResult {
  readonly reason: EndReason;
  readonly lineageId: string;
  /** Batches completed by this run, and what they read and wrote. */
  readonly batches: number;
  readonly records: number;
  readonly rows: number;
  readonly tombstones: number;
  readonly poison: number;
  /** Batches that the sink had already. */
  readonly alreadyWritten: number;
  /** From the first batch's start to the end, without waiting for another run. */
  readonly durationMs: number;
}

/**
 * Runs a job. Resolves when a bounded trigger is done, the ending offsets are reached, or `signal` has stopped it in
 * good order.
 * @throws FencedError another run took over; ConfigError; DataLossError; PoisonRecordError; PipelineError;
 * CheckpointCorruptError; CheckpointMissingError; TransientError when nothing has got on for the job's
 * `storeTimeoutMs`; the abort signal's reason
 */
export function runJob(job: Job, options: RunOptions = {}): Promise<RunResult> {
  return withProgram(job, options, async ({ job: definition, store, baseDir, clock, signal }) => {
    const trigger = options.trigger === undefined ? definition.trigger : checkTrigger(options.trigger);
    const totals = new Totals(clock);
    const advice = new ThreadAdvice(availableParallelism());
    const onEvent: JobListener = (event) => {
      totals.add(event);
      options.onEvent?.(event);
      if (event.type !== "completed" || tasks !== inlineTasks || definition.source.isInMemory) return;
      const { user, system } = process.cpuUsage();
      const message = advice.completed(event.plan, { elapsedMs: clock.elapsed(), cpuMs: (user + system) / 1_000 });
      if (message !== undefined) options.onEvent?.({ type: "warning", message });
    };
    const abortSignal = options.abortSignal ?? new AbortController().signal;
    const job = { ...definition, trigger };
    const onWarning = (message: string) => onEvent({ type: "warning", message });
    await using tasks = chooseTasks(options, { job, baseDir, clock, onWarning });
    const input = {
      job,
      tasks,
      store,
      baseDir,
      clock,
      onEvent,
      abortSignal,
      purpose: "run",
    } as const;
    const reason = await runTerms(input, totals, { stopSignal: signal, takeOver: options.takeOver ?? false });
    onEvent({ type: "ended", reason });
    return totals.result(reason);
  });
}

interface HowToRun {
  readonly stopSignal: AbortSignal;
  /** Begin at once, whoever runs. */
  readonly takeOver: boolean;
}

async function runTerms(
  input: Omit<TermInput, "run">,
  totals: Totals,
  { stopSignal, takeOver }: HowToRun,
): Promise<EndReason> {
  const { job, store, clock, abortSignal, onEvent } = input;
  const memory = newRunMemory(clock.elapsed());
  const run = newRunIdentity();
  const retries = new Retries(clock, job.storeTimeoutMs);
  let mayBegin = takeOver;
  for (;;) {
    if (stopSignal.aborted) return "stopped";
    try {
      if (!mayBegin) {
        const onWaiting = (heartbeat: Heartbeat) => onEvent({ type: "waiting-for-other-run", heartbeat });
        const waiting = waitForOtherRun(store, job.name, clock, stopSignal, onWaiting);
        if ((await untilStopped(stopSignal, waiting)) === "stopped") return "stopped";
        mayBegin = true;
        totals.begin();
      }
      await using term = await openTerm({ ...input, run }, stopSignal);
      const { epoch, state } = term.journal;
      const { lineageId, nextBatchId, inHand, positions = [] } = state;
      memory.furthest = Math.max(memory.furthest, nextBatchId);
      const isNew = nextBatchId === 0 && inHand === undefined && positions.length === 0;
      onEvent({ type: "started", lineageId, epoch, isNew });
      return await runTerm(term, memory, stopSignal);
    } catch (failure) {
      abortSignal.throwIfAborted();
      const error = originalError(failure);
      if (stopSignal.aborted && error === stopSignal.reason) return "stopped";
      if (!isRetryable(error)) throw error;
      const { attempt, delayMs } = retries.after(error, memory);
      onEvent({ type: "retrying", error, attempt, delayMs });
      await untilStopped(stopSignal, clock.sleep(delayMs, stopSignal));
    }
  }
}

async function untilStopped(signal: AbortSignal, wait: Promise<void>): Promise<"stopped" | "done"> {
  try {
    await wait;
    return "done";
  } catch (error) {
    if (signal.aborted) return "stopped";
    throw error;
  }
}

/** Adds up what a run did. */
class Totals {
  readonly #clock: Clock;
  #beganMs: number;
  #lineageId = "";
  #records = 0;
  #rows = 0;
  #tombstones = 0;
  #poison = 0;
  #alreadyWritten = 0;
  batches = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.elapsed();
  }

  begin(): void {
    this.#beganMs = this.#clock.elapsed();
  }

  add(event: JobEvent): void {
    if (event.type === "started") this.#lineageId = event.lineageId;
    if (event.type !== "completed") return;
    this.batches++;
    this.#records += event.counts.records ?? 0;
    this.#rows += event.counts.rows ?? 0;
    this.#tombstones += event.counts.tombstones ?? 0;
    this.#poison += event.counts.poison;
    this.#alreadyWritten += event.counts.alreadyWritten ? 1 : 0;
  }

  result(reason: EndReason): RunResult {
    return {
      reason,
      lineageId: this.#lineageId,
      batches: this.batches,
      records: this.#records,
      rows: this.#rows,
      tombstones: this.#tombstones,
      poison: this.#poison,
      alreadyWritten: this.#alreadyWritten,
      durationMs: Math.round(this.#clock.elapsed() - this.#beganMs),
    };
  }
}
