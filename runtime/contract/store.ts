// What a checkpoint store must provide: for each job one log of small entries with ONE property, linearizable append:
// entry `seq` is created only if the head is `seq` − 1, by the writer that took the log over last. Plans,
// completions, resets and fencing are made of that, once, in runtime/journal. A store never interprets an entry.
import type { Position } from "./positions.ts";
import type { JointTransaction, LogTransactions } from "./sink.ts";

/** An entry's bytes, with the random token (32 hex digits) by which a retried append is told from another writer's. */
export interface Entry {
  readonly token: string;
  readonly bytes: Uint8Array;
}

export interface NumberedEntry {
  readonly seq: bigint;
  readonly entry: Entry;
}

/** The numbers of the oldest and the newest entry kept; both inclusive. */
export interface LogBounds {
  readonly first: bigint;
  readonly head: bigint;
}

/**
 * What an append found. `exists`: entry `seq` is there already (perhaps mine, see its token). `behind`: refused, a
 * newer writer took over or the head is elsewhere.
 */
export type Appended =
  | { readonly is: "appended" }
  | { readonly is: "exists"; readonly entry: Entry }
  | { readonly is: "behind"; readonly head: bigint };

/** A running writer's sign of life. Advice for people and supervisors, never safety. */
export interface Heartbeat {
  readonly epoch: bigint;
  /** Changes with every beat, so that a watcher needs no clock in common with the writer. */
  readonly beat: number;
  readonly atMs: number;
  readonly everyMs: number;
  readonly host: string;
  readonly pid: number;
  /** Tells a process from a later one with the same pid; undefined where the platform has nothing for it. */
  readonly processStart?: string | undefined;
  /** true: the writer stopped in good order. */
  readonly stopped: boolean;
  /** The writer's current offsets, in the runtime's own words, when they may be ahead of its log; ≤ 32,000 letters. */
  readonly current?: string | undefined;
}

export interface CheckpointStore extends AsyncDisposable {
  /** For messages, without passwords: `file:.tidemark`. */
  readonly url: string;
  readonly maxEntryBytes: number;
  /** true: logs are gone with this process, on purpose: a job without one is new, whatever else shows positions. */
  readonly isVolatile?: boolean;
  /** undefined: this job has no log here. Linearizable; never fences. */
  bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined>;
  /** Entries from `from` (inclusive) to the head in order; a missing one is left out, the caller sees the hole. */
  read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry>;
  /**
   * Shuts out every older writer, then reads the head (−1n for a job that is new here), then appends what `begin`
   * makes of it. `begin` gives head + 1, or a higher number when it starts a new history (a copied job), and may
   * throw: then nothing is appended, but older writers may have been shut out. Two at once: one wins, the other
   * starts again with the new head.
   * A job that is new here, but whose positions stand in the customary place already, has lost its log: refused, so
   * that it does not begin anew in silence, where that place says whose they are. The hint says what to type to begin
   * anew on purpose.
   * @throws CheckpointMissingError positions, but no log
   * @param lineageId marks what is written to places that others use too, so that nothing of theirs is overwritten
   * @throws OutcomeUnknownError the reply was lost: the entry may be there, or come later; taking over again settles it
   */
  takeOver(
    jobName: string,
    begin: (head: bigint) => NumberedEntry,
    signal: AbortSignal,
    lineageId?: string,
  ): Promise<LogWriter>;
  /** The last sign of life, if there is one. */
  heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined>;
  /** The jobs that have a log here, sorted. */
  jobs(signal: AbortSignal): Promise<readonly string[]>;
  /** What system was found there, where that is not plain from the URL, for `doctor`: "HBase, protocol 2.x". */
  describe?(signal: AbortSignal): Promise<string>;
  /** What is wrong or unwise about this store itself, for `doctor`: one finding a line, empty when all is well. */
  examine(signal: AbortSignal): Promise<readonly string[]>;
}

export interface LogWriter extends AsyncDisposable {
  /** Given by stores in whose own transactions a sink of their system must write what is to be joined. */
  readonly transactions?: LogTransactions;
  /** Whether `append` can complete this transaction of a sink in its own step. Stores that never can leave it out. */
  canJoin?(rows: JointTransaction): boolean;
  /** Whether `append` keeps such positions true where their own source would show them: then the source need not. */
  shows?(customary: readonly Position[]): boolean;
  /**
   * Appends durably, or says why not. Idempotent for the same bytes and token.
   * `rows`: a sink's transaction to complete in the same step; it is rolled back unless this answers "appended".
   * `customary`: positions to keep true, in the same step, where people's own tools look; empty when nothing completed.
   * @throws OutcomeUnknownError the reply was lost: append the same again
   * @throws TransientError nothing was appended
   */
  append(
    seq: bigint,
    entry: Entry,
    customary: readonly Position[],
    signal: AbortSignal,
    rows?: JointTransaction,
  ): Promise<Appended>;
  /** Forgets entries below `before`; may stop half-way, and then goes on the next time. */
  prune(before: bigint, signal: AbortSignal): Promise<void>;
  /** Leaves a sign of life. A newer epoch's is not overwritten. */
  beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void>;
}
