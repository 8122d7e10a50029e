// The job that runs in the simulation: each good record becomes one row that names it, some records are poison.
import { map, type Observable, tap } from "rxjs";
import type { CommitMode, DeadLetter, Job, JobOptions, Task, Trigger } from "../../runtime/contract/job.ts";
import type { Sink } from "../../runtime/contract/sink.ts";
import { rowOf } from "./lineage.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { simulatedSink } from "./simulated-sink.ts";
import { type InputRecord, simulatedSource } from "./simulated-source.ts";
import type { SimulatedLog } from "./simulated-store.ts";
import type { SimulatedWorld } from "./world.ts";

export const JOB_NAME = "orders";

/** What differs from schedule to schedule; the same for all processes of one. */
export interface JobSettings {
  readonly startingOffsets: "earliest" | "latest";
  readonly failOnDataLoss: boolean;
  readonly sendsDeadLetters: boolean;
  readonly combines: boolean;
  readonly maxOffsetsPerBatch: number | undefined;
  readonly minOffsetsPerBatch: number;
  readonly retainBatches: number;
  readonly phaseTimeoutMs: number;
  readonly commit: CommitMode;
}

export const PLAIN_SETTINGS: JobSettings = {
  startingOffsets: "earliest",
  failOnDataLoss: true,
  sendsDeadLetters: false,
  combines: false,
  maxOffsetsPerBatch: 4,
  minOffsetsPerBatch: 1,
  retainBatches: 1_000,
  phaseTimeoutMs: 30_000,
  commit: "batch",
};

/** The job as one process has loaded it. */
export function jobIn(world: SimulatedWorld, process: SimulatedProcess, settings: JobSettings): Job {
  const { startingOffsets, failOnDataLoss, maxOffsetsPerBatch } = settings;
  const { minOffsetsPerBatch, retainBatches, phaseTimeoutMs, commit } = settings;
  process.commitMode = commit;
  const { defineJob, deadLetter } = world.runtime;
  const deadLetters = simulatedSink(world, process, world.deadLetters) as Sink<DeadLetter>;
  const options: JobOptions = {
    name: JOB_NAME,
    ...(maxOffsetsPerBatch === undefined ? {} : { maxOffsetsPerBatch }),
    minOffsetsPerBatch: Math.min(minOffsetsPerBatch, maxOffsetsPerBatch ?? minOffsetsPerBatch),
    maxTriggerDelayMs: 2_000,
    onPoisonRecord: settings.sendsDeadLetters ? deadLetter(deadLetters) : "skip",
    retainBatches,
    phaseTimeoutMs,
  };
  const source = simulatedSource(world, process, startingOffsets, failOnDataLoss);
  const sink = simulatedSink(world, process, world.table);
  const pipeline = (records$: Observable<InputRecord>, { batchId }: Task) =>
    records$.pipe(
      tap(({ kind, partition, offset }) => {
        if (commit === "batch") world.ledger.onRecord({ partition, offset }, batchId, process.name);
        if (kind === "throws") throw new Error("a poison record");
      }),
      map(({ partition, offset }) => rowOf(partition, offset)),
    );
  const job: Job = settings.combines
    ? defineJob({ ...options, source, sink, pipeline, combine: (rows$) => rows$ })
    : defineJob({ ...options, source, sink, pipeline });
  // Not as an option: only functions may be given with "manual", and the table's sink commits as one would.
  Object.assign(job.definition, { commit });
  return job;
}

export interface RunSettings {
  readonly trigger: Trigger;
  readonly takeOver: boolean;
}

/** Starts a run of the job in a process of its own. */
export function startRun(
  world: SimulatedWorld,
  name: string,
  log: SimulatedLog,
  settings: JobSettings,
  run: RunSettings = { trigger: "available-now", takeOver: true },
): SimulatedProcess {
  return world.start(name, (process) =>
    world.runtime.runJob(jobIn(world, process, settings), {
      checkpoint: world.store(process, log),
      clock: process.clock,
      trigger: run.trigger,
      takeOver: run.takeOver,
      signal: process.signal,
      abortSignal: process.abortSignal,
      onEvent: (event) => {
        if (event.type === "warning") world.note(`${name} warns: ${event.message}`);
        if (event.type === "retrying") world.note(`${name} tries again: ${String(event.error)}`);
      },
    }),
  );
}
