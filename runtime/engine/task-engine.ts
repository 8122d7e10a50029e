// What runs a batch's tasks: on the thread that asks (inline-tasks.ts), or on several (threads/). A task is plain data;
// an engine reads its range, runs the pipeline over it and hands back its rows. It knows nothing of transactions, and
// it never touches the checkpoint.
import type { Clock } from "../clock.ts";
import type { NormalizedJob } from "../contract/job.ts";
import type { OffsetRange, Position } from "../contract/positions.ts";
import type { EncodedRows } from "../contract/sink.ts";
import type { SourceReader } from "../contract/source.ts";

/** One task: a partition's range, and what of it is to be read. */
export interface TaskWork {
  /** As the pipeline is told; not empty. */
  readonly range: OffsetRange;
  /** The end of the planned range with its mark, if it has one: another reader tells the log by it. */
  readonly end: Position | undefined;
  /** The parts of it that are there to be read, in order. */
  readonly parts: readonly OffsetRange[];
  /** Poison records that were decided on. */
  readonly skip: ReadonlySet<bigint>;
}

/** The tasks of one attempt at a batch, by topic and partition. */
export interface BatchTasks {
  readonly job: NormalizedJob;
  /** Open on this thread; another one in each term. */
  readonly reader: Pick<SourceReader, "read">;
  readonly batchId: number;
  readonly tasks: readonly TaskWork[];
  readonly clock: Clock;
  /** Aborted when the attempt is given up: its rows count no more. */
  readonly signal: AbortSignal;
}

/** Where the rows go, on the thread that asks. One call at a time. */
export interface BatchRows {
  /**
   * Encoded rows, those of a task in order. The tasks follow one another in their order, unless the sink does without
   * (`Sink.tasksInAnyOrder`) or the job says `ordered: false`.
   */
  write(rows: EncodedRows): Promise<void>;
  /** Given when the job has a `combine`: all rows go there, one by one, and none to `write`. */
  readonly combine: RowsToCombine | undefined;
  /** So many offsets more have been dealt with. */
  progressed(offsets: bigint): void;
}

export interface RowsToCombine {
  /** @throws PipelineError combine has failed */
  add(row: unknown): void;
  /** Between rows: the place to write what combine has given so far. */
  flush(): Promise<void>;
}

export interface TasksDone {
  readonly records: number;
  readonly tombstones: number;
}

/** A row by its task, and by its number there, from 1. */
export interface RowOrigin {
  readonly range: OffsetRange;
  readonly rowNumber: number;
}

/** Runs batches' tasks, one batch at a time; for all terms of a run. */
export interface TaskEngine extends AsyncDisposable {
  /** Whether it reads with readers of its own, and not with the one that it is given. */
  readonly readsItself?: boolean;
  /**
   * Runs all tasks; the first failure ends all of them.
   * @throws PipelineError | PoisonRecordError | DataLossError | TransientError as a task does
   */
  run(tasks: BatchTasks, rows: BatchRows): Promise<TasksDone>;
  /**
   * Where a row of the last batch came from, by its number in the order in which rows were written, from 1; absent
   * where that is the order of the tasks.
   */
  originOf?(rowNumber: number): RowOrigin | undefined;
}
