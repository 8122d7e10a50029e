// What a sink must provide. Encoding (pure, where the pipeline runs) is apart from writing (one unit a batch, where the
// system has transactions). A batch's rows stream through `write` and become visible in `commit`, all or none.
import type { OffsetRange } from "./positions.ts";
import type { OpenContext } from "./source.ts";

/** What identifies a batch's output. The idempotence key is lineageId + batchId + planHash, never batchId alone. */
export interface Batch {
  readonly jobName: string;
  readonly lineageId: string;
  readonly batchId: number;
  readonly planHash: string;
  /** The planned ranges, sorted by topic and partition. */
  readonly ranges: readonly OffsetRange[];
  /** Aborted when the batch is given up: on a second signal, or past a deadline. */
  readonly signal: AbortSignal;
  /**
   * true: its plan is not durable (job option `commit`), so that after a crash its number may mean other ranges. A sink
   * keeps no marker of it, never takes it for written already, and refuses it for nothing but a newer epoch.
   */
  readonly isUnplanned?: boolean;
}

/**
 * Told of a `commitAsync` when it is durable (`failure` is undefined) or has failed. Called in the order of the calls.
 */
export type CommitListener = (failure: unknown) => void;

/** How the user's own code commits: for `commit: "manual"`, from a function sink. Never moves a position back. */
export interface BatchCommits {
  /**
   * Commits the positions behind this batch, with those of all batches before it. Resolves when they are durable.
   * @throws ConfigError the job's `commit` is not "manual"
   * @throws TransientError | OutcomeUnknownError | FencedError why it is not durable, or not known to be; the run goes
   * back to the last commit then, or ends
   */
  commitSync(): Promise<void>;
  /**
   * The same without waiting for it; the batches go on. Of several that wait, the last one is written and stands for
   * all. What is under way when the run stops is waited for.
   * @throws ConfigError the job's `commit` is not "manual"
   */
  commitAsync(listener?: CommitListener): void;
}

/** A batch as a function sink is given it. */
export interface FunctionBatch extends Batch, BatchCommits {}

/** Encoded rows in order; what `data` is, only the sink knows (bytes, or the rows themselves). */
export interface EncodedRows {
  readonly rowCount: number;
  readonly data: unknown;
}

/** Encodes the rows of one task, in order. Pure: no I/O, no state shared with other encoders. */
export interface RowEncoder<in Row> {
  /** @throws when this row cannot be encoded; the record it came from is then treated as a poison record */
  add(row: Row): void;
  /** What was added since the last `take`, undefined when nothing was. */
  take(): EncodedRows | undefined;
}

export type Guarantee = "exactly-once" | "at-least-once";

export interface SinkContext extends OpenContext {
  readonly lineageId: string;
  /** The writer's term; a sink that can must refuse writers of lower epochs from the moment it is opened. */
  readonly epoch: bigint;
  /** What the job's log offers to this sink; absent where it has nothing to offer, or nothing may be joined. */
  readonly logTransactions?: LogTransactions | undefined;
}

/**
 * What a log offers to sinks of its own system whose transactions are fenced by who began them, not by what they write:
 * to write rows in the log's own transactions, which `append` then commits. What it really is, only the two know.
 */
export interface LogTransactions {
  /** The system, as its sink and its store write it alike. */
  readonly place: string;
}

/** Where rows go. A definition: no I/O before `open`. */
export interface Sink<in Row = never> {
  readonly kind: string;
  readonly guarantee: Guarantee;
  /** Where the rows go, for people and without passwords: a folder, a table, a topic. */
  readonly target?: string;
  /**
   * What identifies the place where this sink remembers its batches, for sinks that do; no I/O. Two sinks of one job
   * with the same place would take each other's batches for their own. Relative paths are resolved against `baseDir`.
   */
  placeOfBatches?(baseDir: string): string;
  /**
   * true: the sink takes a batch's tasks in any order, and mixed, as long as each task's rows stay in order; then
   * threads need not wait for one another. Default false.
   */
  readonly tasksInAnyOrder?: boolean;
  /**
   * true: what `encoder` makes is bytes, or plain data around bytes, in memory of its own: it is handed over between
   * threads. Default false: it is cloned (https://nodejs.org/api/globals.html#structuredclonevalue-options).
   */
  readonly encodesToBytes?: boolean;
  encoder(): RowEncoder<Row>;
  /** Opens the sink for one epoch and shuts out older ones where the system can. */
  open(context: SinkContext, signal: AbortSignal): Promise<SinkWriter>;
}

/** An open sink. One batch at a time. */
export interface SinkWriter extends AsyncDisposable {
  /**
   * Begins a batch's output, or says that this very batch (all three parts of its key) has already been written.
   * @param commits for a sink that runs the user's own code; undefined where nothing is committed, in a replay
   * @throws CheckpointCorruptError the same lineage and batchId were written under another plan
   * @throws TransientError the system cannot be reached, or a newer epoch shut this writer out (the log decides which)
   */
  begin(batch: Batch, commits?: BatchCommits): Promise<BatchWrite | "already-written">;
}

/**
 * A sink's open transaction, which a checkpoint store in the very same system can complete: then the rows, the entry
 * and the customary offsets are one transaction. What it really is, only the two of them know.
 */
export interface JointTransaction {
  /** The system and the place in it, as its sink and its store write it alike: two that differ cannot be joined. */
  readonly place: string;
}

/** One batch on its way out. Disposing it before `commit` throws its rows away. */
export interface BatchWrite extends AsyncDisposable {
  /**
   * Takes encoded rows: tasks in order of topic and partition, rows in order within each. Resolves when more may be
   * given.
   */
  write(rows: EncodedRows): Promise<void>;
  /** Given by sinks whose transaction a store may complete in place of `commit`, after the last `write`. */
  readonly transaction?: JointTransaction;
  /**
   * Makes the rows durable and visible together. Called once.
   * @throws OutcomeUnknownError the reply was lost; the caller opens the sink anew and begins the batch again
   */
  commit(): Promise<void>;
}
