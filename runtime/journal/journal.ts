// A job's log as the engine uses it: take it over, know where the job stands, append. Every append carries a random
// token that is kept on retries, so that an entry found in the way is known to be mine or not. Only the log decides
// that this writer is fenced; a store that shuts it out without a newer epoch to show for it is a reason to begin a
// new term, not to stop.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import { later, type Position } from "../contract/positions.ts";
import type { JointTransaction, LogTransactions } from "../contract/sink.ts";
import type { CheckpointStore, Heartbeat, LogBounds, LogWriter, NumberedEntry } from "../contract/store.ts";
import { CheckpointCorruptError, ConfigError, OutcomeUnknownError, TransientError } from "../errors.ts";
import { type BeginEntry, decodeEntry, type EntryBody, encodeEntry, type JournalEntry } from "./entry.ts";
import {
  type ArrivingHistory,
  checkMayArrive,
  checkMayImport,
  checkMayTakeOver,
  checkNotOlder,
  checkNotReplaced,
  type RunIdentity,
  replacedBy,
} from "./may-take-over.ts";
import { foldEntry, type JobState } from "./recover.ts";

/** Entries read at first from the log's end; more only when they do not tell where the job stands. */
const TAIL_ENTRIES = 64n;
/** Tries to take over a log that others take over at the same time. */
const TAKE_OVER_TRIES = 20;
/** Tries of one append whose outcome is unknown, before the term ends and a new one finds out. */
const APPEND_TRIES = 3;
/** A store that is silent for longer is away: that is told, and a new term finds out what became of the append. */
const REPEATED_WITHIN_MS = 5_000;

export interface NumberedJournalEntry extends JournalEntry {
  readonly seq: bigint;
}

/** The entries from `from` (inclusive) to the head, decoded. @throws CheckpointCorruptError */
export async function* readEntries(
  store: CheckpointStore,
  jobName: string,
  from: bigint,
  signal: AbortSignal,
): AsyncGenerator<NumberedJournalEntry> {
  for await (const { seq, entry } of store.read(jobName, from, signal)) {
    yield { seq, ...decodeEntry(entry.bytes, `entry ${seq} of the checkpoint of "${jobName}"`) };
  }
}

/**
 * Reads the log from its bounds, and again when it seems damaged but older entries were only pruned while it was read.
 * @throws CheckpointCorruptError
 */
export async function readSteadily<T>(
  store: CheckpointStore,
  jobName: string,
  signal: AbortSignal,
  read: (bounds: LogBounds) => Promise<T>,
): Promise<T | undefined> {
  for (let bounds = await store.bounds(jobName, signal); bounds !== undefined; ) {
    try {
      return await read(bounds);
    } catch (error) {
      const now = await store.bounds(jobName, signal);
      if (!(error instanceof CheckpointCorruptError) || now?.first === bounds.first) throw error;
      bounds = now;
    }
  }
  return undefined;
}

/**
 * Where a job stands; undefined when it never ran here. Takes nothing over.
 * @throws CheckpointCorruptError
 */
export function readState(store: CheckpointStore, jobName: string, signal: AbortSignal): Promise<JobState | undefined> {
  return readSteadily(store, jobName, signal, (bounds) => readStateWithin(store, jobName, bounds, signal));
}

async function readStateWithin(store: CheckpointStore, jobName: string, bounds: LogBounds, signal: AbortSignal) {
  const tail = bounds.head - TAIL_ENTRIES + 1n;
  if (tail > bounds.first) {
    const state = await foldFrom(store, jobName, tail, signal);
    // A tail that shows neither a position nor how its term began does not tell everything, such as a copy's beginning.
    if (state?.positions !== undefined && state.writer !== undefined) return state;
  }
  return foldFrom(store, jobName, bounds.first, signal);
}

async function foldFrom(store: CheckpointStore, jobName: string, from: bigint, signal: AbortSignal) {
  let state: JobState | undefined;
  for await (const entry of readEntries(store, jobName, from, signal)) {
    state = foldEntry(state, entry.seq, entry, jobName);
  }
  return state;
}

export interface TakeOverOptions {
  readonly store: CheckpointStore;
  readonly jobName: string;
  readonly purpose: BeginEntry["purpose"];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told of the epoch that is begun, also when the reply is lost. */
  readonly run: RunIdentity;
  /** "copy" only: what arrives. */
  readonly copied?: ArrivingHistory;
}

export interface AppendExtras {
  /** Positions for people's own tools; given with completions. */
  readonly customary?: readonly Position[];
  /** When it happened; a copied history keeps its times. Default: now. */
  readonly atMs?: number;
  /** A sink's transaction to complete in the same step; only one that `canJoin`. */
  readonly rows?: JointTransaction | undefined;
}

/** The log, taken over. */
export class Journal implements AsyncDisposable {
  readonly #store: CheckpointStore;
  readonly #writer: LogWriter;
  readonly #clock: Clock;
  readonly #run: RunIdentity;
  readonly epoch: bigint;
  #state: JobState;

  private constructor({ store, clock, run }: TakeOverOptions, writer: LogWriter, state: JobState, epoch: bigint) {
    this.#store = store;
    this.#writer = writer;
    this.#clock = clock;
    this.#run = run;
    this.#state = state;
    this.epoch = epoch;
  }

  /**
   * Begins an epoch: shuts out every older writer, then reads where the job stands.
   * @throws FencedError another run took over since this run's last term
   * @throws CheckpointCorruptError
   * @throws ConfigError the checkpoint has moved elsewhere, is a copy that has not arrived, or, for a copy, is in use
   */
  static async takeOver(options: TakeOverOptions): Promise<Journal> {
    const { store, jobName, purpose, clock, signal, run, copied } = options;
    for (let attempt = 1; ; attempt++) {
      const seen = await readState(store, jobName, signal);
      if (purpose === "import") checkMayImport(seen, store.url);
      else if (copied === undefined) checkMayTakeOver(seen, run);
      else checkMayArrive(seen, copied, store.url);
      const lineageId = copied?.lineageId ?? seen?.lineageId ?? randomBytes(16).toString("hex");
      let moved = false;
      let seq: bigint | undefined;
      const begin = (head: bigint): NumberedEntry => {
        if (head !== (seen?.head ?? -1n)) {
          moved = true;
          throw new TransientError("the log has moved on since it was read");
        }
        seq = later(head, copied?.above ?? -1n) + 1n;
        const body: BeginEntry = { kind: "begin", purpose, host: hostname(), pid: process.pid };
        const term = { epoch: seq, runId: run.id };
        return { seq, entry: newEntry({ jobName, lineageId, ...term, atMs: clock.now(), body }) };
      };
      let writer: LogWriter;
      try {
        writer = await store.takeOver(jobName, begin, signal, lineageId);
      } catch (error) {
        if (moved && !signal.aborted && attempt < TAKE_OVER_TRIES) continue;
        if (seq !== undefined) run.newestEpoch = seq;
        throw error;
      }
      if (seq === undefined) throw new Error("the store gave a writer without asking for its beginning");
      run.newestEpoch = seq;
      const state = await readState(store, jobName, signal);
      if (state === undefined || state.epoch !== seq) {
        await writer[Symbol.asyncDispose]();
        if (state !== undefined && state.epoch > seq) throw replacedBy(state, run);
        throw new CheckpointCorruptError(`the checkpoint of "${jobName}" does not show the epoch that was just begun`);
      }
      run.known = state;
      return new Journal(options, writer, state, seq);
    }
  }

  get state(): JobState {
    return this.#state;
  }

  /**
   * Appends one entry durably.
   * @throws FencedError a newer epoch has begun
   * @throws CheckpointMissingError the log is gone
   * @throws TransientError | OutcomeUnknownError end the term and begin a new one, which finds out
   */
  async append(body: EntryBody, signal: AbortSignal, extras: AppendExtras = {}): Promise<void> {
    const { customary = [], atMs = this.#clock.now(), rows } = extras;
    const { jobName, lineageId, head } = this.#state;
    const seq = head + 1n;
    const record = { jobName, lineageId, epoch: this.epoch, runId: this.#run.id, atMs, body };
    const next = foldEntry(this.#state, seq, record, jobName);
    const entry = newEntry(record);
    this.#checkSize(entry.bytes.byteLength);
    const repeatedUntilMs = this.#clock.elapsed() + REPEATED_WITHIN_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        const appended = await this.#writer.append(seq, entry, customary, signal, rows);
        const isMine = appended.is === "exists" && appended.entry.token === entry.token;
        if (appended.is !== "appended" && !isMine) throw await this.#shutOut(signal);
        this.#state = next;
        this.#run.known = next;
        return;
      } catch (error) {
        // A joined transaction is gone with its reply: the next term finds out whether both happened or neither.
        const canRepeat = error instanceof OutcomeUnknownError && rows === undefined;
        if (!canRepeat || attempt === APPEND_TRIES || this.#clock.elapsed() > repeatedUntilMs) throw error;
      }
    }
  }

  /** Whether this log can complete a sink's transaction together with an entry. */
  canJoin(rows: JointTransaction): boolean {
    return this.#writer.canJoin?.(rows) ?? false;
  }

  /** What this log offers to a sink of its own system. */
  get transactions(): LogTransactions | undefined {
    return this.#writer.transactions;
  }

  /** Whether these positions, appended with a completion, show where their own source would show them. */
  shows(customary: readonly Position[]): boolean {
    return this.#writer.shows?.(customary) ?? false;
  }

  /**
   * Reads the head again: after the sink has been opened with this epoch, and before anything is written (invariant
   * 5).
   * @throws FencedError a newer epoch has begun
   */
  async verifyHead(signal: AbortSignal): Promise<void> {
    const bounds = await this.#store.bounds(this.#state.jobName, signal);
    if (bounds?.head !== this.#state.head) throw await this.#shutOut(signal);
  }

  /** Leaves a sign of life. */
  async beat(sign: Pick<Heartbeat, "beat" | "everyMs" | "stopped" | "processStart" | "current">, signal: AbortSignal) {
    const identity = { epoch: this.epoch, host: hostname(), pid: process.pid };
    await this.#writer.beat({ ...identity, atMs: this.#clock.now(), ...sign }, signal);
  }

  /** Forgets entries below `before`, which must not be newer than the newest completion. */
  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    await this.#writer.prune(before, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  /**
   * Why the store refused this writer: only a newer epoch in the log makes it fenced.
   * @throws CheckpointMissingError the log is gone, or not the one it was
   */
  async #shutOut(signal: AbortSignal): Promise<Error> {
    const now = await readState(this.#store, this.#state.jobName, signal);
    checkNotReplaced(now, this.#state);
    if (now.epoch > this.epoch) return replacedBy(now, this.#run);
    checkNotOlder(now, this.#state);
    if (now.head > this.#state.head && now.epoch === this.epoch) {
      // My own append landed late, after a lost reply: a new term reads it.
      return new OutcomeUnknownError(`entry ${now.head} was appended though its reply was lost`);
    }
    return new TransientError("the store shut this run out, though no other run has begun");
  }

  #checkSize(bytes: number): void {
    if (bytes <= this.#store.maxEntryBytes) return;
    throw new ConfigError(`a checkpoint entry of ${bytes} bytes is more than ${this.#store.url} takes`, {
      hint: "fewer partitions in one job, or another checkpoint store",
    });
  }
}

function newEntry(entry: JournalEntry): NumberedEntry["entry"] {
  return { token: randomBytes(16).toString("hex"), bytes: encodeEntry(entry) };
}
