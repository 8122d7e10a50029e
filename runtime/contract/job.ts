// The job as its author writes it: the types behind `defineJob`. Everything here is the user's contract.
import type { Observable } from "rxjs";
import type { OffsetRange } from "./positions.ts";
import type { Batch, FunctionBatch, Sink } from "./sink.ts";
import type { Source } from "./source.ts";
import type { CheckpointStore } from "./store.ts";

/** One partition's part of a batch. */
export interface Task extends OffsetRange {
  readonly batchId: number;
  readonly signal: AbortSignal;
}

/**
 * When batches begin: every `intervalMs` (late ones at once), as soon as there is data ("continuous", the default), one
 * batch of all there is ("once", ignoring limits), or batch after batch until what was there at the start is done
 * ("available-now").
 */
export type Trigger = { readonly intervalMs: number } | "continuous" | "once" | "available-now";

/**
 * When positions are committed, that is, recorded in the checkpoint: with every batch ("batch", the default), at most
 * so often and on stop (`autoCommitIntervalMs`, > 0), or when a function sink says so ("manual"). Only "batch" records
 * a batch's plan before it runs and is exactly-once where the sink is; with the others, batches since the last commit
 * run again after a crash, perhaps cut otherwise: at-least-once on every sink.
 */
export type CommitMode = "batch" | { readonly autoCommitIntervalMs: number } | "manual";

/** A record that could not be processed, as it is handed to a dead letter sink. */
export interface DeadLetter {
  readonly jobName: string;
  readonly batchId: number;
  readonly topic: string;
  readonly partition: number;
  /** Decimal. */
  readonly offset: string;
  readonly timestamp: number;
  /** "decode": its bytes are no value; "pipeline": the pipeline threw on it. */
  readonly phase: "decode" | "pipeline";
  readonly error: string;
  /** UTF-8 text, or base64 where the bytes are not UTF-8 (`encoding` says which). */
  readonly key: string | null;
  readonly value: string | null;
  readonly encoding: "utf8" | "base64";
}

/** Sends poison records to `sink`; made by `deadLetter(sink)`. */
export interface DeadLetterPolicy {
  readonly deadLetterSink: Sink<DeadLetter>;
}

export type PoisonPolicy = "fail" | "skip" | DeadLetterPolicy;

/** The options of a job that have nothing to do with its types. */
export interface JobOptions {
  /** `[a-z0-9][a-z0-9_-]{0,62}`; the key of the job's checkpoint. */
  readonly name: string;
  /** A URL or a store object; default `file:.tidemark`, beside job.ts. */
  readonly checkpoint?: string | CheckpointStore;
  readonly trigger?: Trigger;
  /** At most so many offsets a batch, shared among partitions in proportion to their lag; ≥ 1; default unlimited. */
  readonly maxOffsetsPerBatch?: number;
  /** Waits until so many offsets are there, but not longer than `maxTriggerDelayMs`; default 1. */
  readonly minOffsetsPerBatch?: number;
  /** Default 900,000 (15 minutes). */
  readonly maxTriggerDelayMs?: number;
  /** What to do with a record that cannot be decoded or makes the pipeline throw; default "fail". */
  readonly onPoisonRecord?: PoisonPolicy;
  /** When positions are recorded; default "batch". */
  readonly commit?: CommitMode;
  /**
   * How long the job waits for its checkpoint store when that is away, trying again, before it ends with
   * TransientError; ≥ 1, default 300,000 (5 minutes). So long it waits for the servers of its source and its sink, too.
   */
  readonly storeTimeoutMs?: number;
  /**
   * A phase of a batch (plan, read and process, commit, record) that gets no further for so long is an error; default
   * 300,000 (5 minutes).
   */
  readonly phaseTimeoutMs?: number;
  /** Completed batches kept in the checkpoint's history; default 1,000. */
  readonly retainBatches?: number;
  /**
   * How many threads run a batch's tasks, each with the job's file loaded anew and a reader of its own; 1 to 64.
   * Default 1: the main thread runs them, one after the other. `combine` and function sinks always run there.
   */
  readonly threads?: number;
  /**
   * false: the order of rows does not matter, neither between partitions nor along one. With `threads` above 1 a large
   * range is split into several tasks then, and rows arrive as they come. Default true.
   */
  readonly ordered?: boolean;
}

/** Receives a batch's rows together (Spark's foreachBatch). At-least-once; `batch` has what makes it idempotent. */
export type SinkFunction<in Row> = (rows: readonly Row[], batch: FunctionBatch) => Promise<void> | void;

export interface PlainJobDefinition<R, Row> extends JobOptions {
  readonly source: Source<R>;
  /** Runs once per task, in offset order; tasks may run in parallel. */
  readonly pipeline: (records$: Observable<R>, task: Task) => Observable<Row>;
  readonly combine?: never;
  readonly sink: Sink<Row> | SinkFunction<Row>;
}

export interface CombinedJobDefinition<R, Row, Out> extends JobOptions {
  readonly source: Source<R>;
  readonly pipeline: (records$: Observable<R>, task: Task) => Observable<Row>;
  /** Runs once per batch over all tasks' rows, in partition order. */
  readonly combine: (rows$: Observable<Row>, batch: Batch) => Observable<Out>;
  readonly sink: Sink<Out> | SinkFunction<Out>;
}

/** A job with its defaults filled in and its options checked; made only by `defineJob`. */
export interface Job<out R = unknown, out Row = unknown, out Out = Row> {
  readonly name: string;
  readonly definition: NormalizedJob;
  /** Carries the types; never there at run time. */
  readonly types?: { readonly record: R; readonly row: Row; readonly output: Out };
}

/** What the runtime sees of a job: types erased, defaults filled in, function sinks wrapped. */
export interface NormalizedJob {
  readonly name: string;
  readonly source: Source<unknown>;
  readonly pipeline: (records$: Observable<unknown>, task: Task) => Observable<unknown>;
  readonly combine: ((rows$: Observable<unknown>, batch: Batch) => Observable<unknown>) | undefined;
  readonly sink: Sink<unknown>;
  readonly checkpoint: string | CheckpointStore;
  readonly trigger: Trigger;
  readonly maxOffsetsPerBatch: number | undefined;
  readonly minOffsetsPerBatch: number;
  readonly maxTriggerDelayMs: number;
  readonly onPoisonRecord: PoisonPolicy;
  readonly commit: CommitMode;
  readonly storeTimeoutMs: number;
  readonly phaseTimeoutMs: number;
  readonly retainBatches: number;
  readonly threads: number;
  readonly ordered: boolean;
}
