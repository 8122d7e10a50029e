// What a source must provide. A source is a definition, cheap to make and free of I/O; opening it gives a reader that
// knows the log's bounds and reads fixed ranges of it. The runtime decides which ranges; a source decides nothing.
import type { OffsetRange, PartitionBounds, Position, TopicPartition } from "./positions.ts";
import type { RawRecord } from "./record.ts";

/** Offsets by topic and partition, for example `{ payments: { 0: 1200n } }`; numbers are taken for small offsets. */
export type ExplicitOffsets = Readonly<Record<string, Readonly<Record<number, bigint | number>>>>;

/**
 * Where a job starts on partitions it has no position for, or ends: the first offset kept, the end now, the first
 * record at or after a time (ms since the Unix epoch), or a number per partition (partitions not named: earliest for
 * a start, latest for an end).
 */
export type OffsetSpec = "earliest" | "latest" | { readonly timestampMs: number } | ExplicitOffsets;

/** What parts are given when a job opens them. */
export interface OpenContext {
  readonly jobName: string;
  /** Relative paths are resolved against it: the folder of job.ts. Absolute. */
  readonly baseDir: string;
  /** Tells the operator something that is no error; one line. */
  readonly warn: (message: string) => void;
}

/** A log to read from. `R` is the record type that the pipeline receives. */
export interface Source<out R = unknown> {
  /** The connector's name, for messages: "files", "kafka". */
  readonly kind: string;
  readonly startingOffsets: OffsetSpec;
  /** Bounded runs end there, exclusive; undefined: unbounded. */
  readonly endingOffsets?: OffsetSpec | undefined;
  /**
   * true: a lost range stops the job with DataLossError; false: the batch completes without it and records what was
   * lost.
   */
  readonly failOnDataLoss: boolean;
  /** true: its records are in the memory of the main thread, and other threads cannot read them. Default false. */
  readonly isInMemory?: boolean;
  open(context: OpenContext, signal: AbortSignal): Promise<SourceReader<R>>;
}

/** Some consecutive records of one range. */
export interface RecordChunk<out R> {
  readonly records: readonly R[];
  /** Records without a value that were left out. */
  readonly tombstones: number;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Offsets to leave out without decoding them: poison records that were decided on. */
  readonly skip: ReadonlySet<bigint>;
}

/** A part of a range that the log no longer holds, or holds with other content; `reason` says which in a few words. */
export interface LostRange extends OffsetRange {
  readonly reason: string;
}

/** Whose positions of a job are shown where its source's own system shows such. */
export interface ShownPositions {
  /** The lineage of the job's log that they were recorded in. */
  readonly lineageId: string;
  /** For messages: `the consumer group "payments"`. */
  readonly where: string;
  /** What to type or to change when that log is to be forgotten; for a hint. */
  readonly toForget: string;
}

/**
 * An open source. All methods but the disposal may run several times and at the same time; all are free of side
 * effects on the log.
 */
export interface SourceReader<out R = unknown> extends AsyncDisposable {
  /** Every partition there is now with its bounds, sorted. */
  partitions(signal: AbortSignal): Promise<readonly PartitionBounds[]>;
  /**
   * For sources that hear of new records sooner than by being asked again and again: waits until there may be something
   * at or beyond these ends, which `partitions` has told. Resolving says nothing for certain: another look does. It may
   * wait for ever; new partitions need not end it. Absent: a job that waits looks ten times a second.
   * @throws the signal's reason, at once; anything else is as good as resolving
   */
  waitForMore?(ends: readonly Position[], signal: AbortSignal): Promise<void>;
  /**
   * The first offset of each partition whose record is at or after `timestampMs`; the latest offset where there is
   * none.
   */
  offsetsAtTime(timestampMs: number, signal: AbortSignal): Promise<readonly Position[]>;
  /** The same positions with their marks, where the source has any. Offsets lie within the bounds. */
  mark(positions: readonly Position[], signal: AbortSignal): Promise<readonly Position[]>;
  /**
   * Compares the marks of positions with the log as it is: the positions at which it is another log, with the reason.
   */
  mismatches(
    positions: readonly Position[],
    signal: AbortSignal,
  ): Promise<readonly { position: Position; reason: string }[]>;
  /**
   * Reads a range in offset order and ends at `untilOffset`.
   * @throws PoisonRecordError a record that cannot be decoded, with its offset; records before it may have been
   * handed out
   * @throws DataLossError a part of the range that is no longer there
   * @throws TransientError the log cannot be reached now
   */
  read(range: OffsetRange, options: ReadOptions): AsyncIterable<RecordChunk<R>>;
  /**
   * Told after a completion, for sources that show a job's positions in their own system's way; never read back. Not
   * waited for by the batch, one call at a time, the newest positions of all partitions; a failure is a warning.
   */
  completed?(
    positions: readonly Position[],
    identity: { readonly lineageId: string },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Whose positions `completed` has shown last; asked when the job has no log, since then it is lost, not new. Tells
   * nothing of the positions. undefined: nobody's that this package wrote, or they need not be kept.
   * @throws TransientError it cannot be told now
   */
  shown?(signal: AbortSignal): Promise<ShownPositions | undefined>;
  /** One record undecoded, for a dead letter; undefined when there is none at this offset. */
  readRaw(at: TopicPartition & { readonly offset: bigint }, signal: AbortSignal): Promise<RawRecord | undefined>;
}
