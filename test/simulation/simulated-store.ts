// A checkpoint store that does what the contract says and not a bit more: a request is checked against the fence and
// the head at the moment it lands, which may be long after whoever sent it has given up, crashed or been replaced.
import type { Position } from "../../runtime/contract/positions.ts";
import type { JointTransaction } from "../../runtime/contract/sink.ts";
import type {
  Appended,
  CheckpointStore,
  Entry,
  Heartbeat,
  LogBounds,
  LogWriter,
  NumberedEntry,
} from "../../runtime/contract/store.ts";
import { CheckpointMissingError } from "../../runtime/errors.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { SimulatedTransaction } from "./simulated-sink.ts";

/** Who took the log over. */
export interface WriterIdentity {
  readonly processName: string;
}

/** Told of every entry at the moment it is there. */
export type EntryObserver = (log: SimulatedLog, added: NumberedEntry, writer: WriterIdentity) => void;

/** The one log of the one job in one place: what survives every crash. */
export class SimulatedLog {
  readonly url: string;
  readonly #onEntry: EntryObserver;
  readonly entries = new Map<bigint, Entry>();
  head = -1n;
  customary: readonly Position[] = [];
  heartbeat: Heartbeat | undefined;
  #fence: WriterIdentity | undefined;
  /** Entries that one request reads. */
  pageEntries = 16;
  /** Broken on purpose, for a mutant: anybody may append, and overwrites what is there. */
  isUnfenced = false;

  constructor(url: string, onEntry: EntryObserver) {
    this.url = url;
    this.#onEntry = onEntry;
  }

  get bounds(): LogBounds | undefined {
    const first = this.entries.keys().next().value;
    return first === undefined ? undefined : { first, head: this.head };
  }

  /**
   * Shuts out whoever wrote before. Gives the head.
   * @throws CheckpointMissingError there are positions, but no log
   */
  shutOut(newWriter: WriterIdentity): bigint {
    if (this.head < 0n && this.customary.length > 0) throw new CheckpointMissingError("positions without a log");
    this.#fence = newWriter;
    return this.head;
  }

  append(writer: WriterIdentity, { seq, entry }: NumberedEntry, isBeginning: boolean): Appended {
    const there = this.entries.get(seq);
    if (!this.isUnfenced) {
      if (there !== undefined) return { is: "exists", entry: there };
      const isNext = isBeginning ? seq > this.head : seq === this.head + 1n;
      if (this.#fence !== writer || !isNext) return { is: "behind", head: this.head };
    }
    this.entries.set(seq, entry);
    if (seq > this.head) this.head = seq;
    this.#onEntry(this, { seq, entry }, writer);
    return { is: "appended" };
  }

  /** Whether `append` would append. */
  wouldAppend(writer: WriterIdentity, seq: bigint): boolean {
    return this.isUnfenced || (!this.entries.has(seq) && this.#fence === writer && seq === this.head + 1n);
  }

  release(writer: WriterIdentity): void {
    if (this.#fence === writer) this.#fence = undefined;
  }

  /** At most `count` entries from `from` on, in order. */
  page(from: bigint, count: number): NumberedEntry[] {
    const page: NumberedEntry[] = [];
    for (const [seq, entry] of this.entries) {
      if (seq >= from) page.push({ seq, entry });
      if (page.length === count) break;
    }
    return page;
  }

  /** Removes at most `count` entries below `before`, the oldest first. Whether more are left to remove. */
  pruneSome(before: bigint, count: number): boolean {
    const old = [...this.entries.keys()].filter((seq) => seq < before);
    for (const seq of old.slice(0, count)) this.entries.delete(seq);
    return old.length > count;
  }

  /** As if somebody had deleted the job's checkpoint, or only the log and not the customary place. */
  wipe({ keepsCustomary = false } = {}): void {
    this.entries.clear();
    this.head = -1n;
    this.#fence = undefined;
    this.heartbeat = undefined;
    if (!keepsCustomary) this.customary = [];
  }
}

/** The store as one process sees it. */
export class SimulatedStore implements CheckpointStore {
  readonly #process: SimulatedProcess;
  readonly #log: SimulatedLog;
  readonly maxEntryBytes = 1_000_000;

  constructor(process: SimulatedProcess, log: SimulatedLog) {
    this.#process = process;
    this.#log = log;
  }

  get url(): string {
    return this.#log.url;
  }

  bounds(_jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    return this.#read("store.bounds", signal, () => this.#log.bounds);
  }

  async *read(_jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    const { pageEntries } = this.#log;
    for (let next = from; ; ) {
      const page = await this.#read("store.read", signal, () => this.#log.page(next, pageEntries));
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageEntries) return;
      next = last.seq + 1n;
    }
  }

  async takeOver(_jobName: string, begin: (head: bigint) => NumberedEntry, signal: AbortSignal): Promise<LogWriter> {
    const log = this.#log;
    const writer: WriterIdentity = { processName: this.#process.name };
    for (;;) {
      const shutOut = { name: "store.shutOut", changes: true, signal, land: () => log.shutOut(writer) };
      const beginning = begin(await this.#process.request(shutOut));
      const append = { name: "store.begin", changes: true, signal, land: () => log.append(writer, beginning, true) };
      const appended = await this.#process.request(append);
      const isMine = appended.is === "exists" && appended.entry.token === beginning.entry.token;
      if (appended.is === "appended" || isMine) return new SimulatedLogWriter(this.#process, log, writer);
    }
  }

  heartbeat(_jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    return this.#read("store.heartbeat", signal, () => this.#log.heartbeat);
  }

  jobs(signal: AbortSignal): Promise<readonly string[]> {
    return this.#read("store.jobs", signal, () => (this.#log.head === -1n ? [] : ["orders"]));
  }

  async examine(): Promise<readonly string[]> {
    return [];
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #read<T>(name: string, signal: AbortSignal, land: () => T): Promise<T> {
    return this.#process.request({ name, changes: false, signal, land });
  }
}

class SimulatedLogWriter implements LogWriter {
  readonly #process: SimulatedProcess;
  readonly #log: SimulatedLog;
  readonly #identity: WriterIdentity;
  readonly transactions = { place: "simulated" };

  constructor(process: SimulatedProcess, log: SimulatedLog, identity: WriterIdentity) {
    this.#process = process;
    this.#log = log;
    this.#identity = identity;
  }

  canJoin(rows: JointTransaction): boolean {
    return rows instanceof SimulatedTransaction;
  }

  append(
    seq: bigint,
    entry: Entry,
    customary: readonly Position[],
    signal: AbortSignal,
    rows?: JointTransaction,
  ): Promise<Appended> {
    return this.#change("store.append", signal, () => {
      const isJoint = rows instanceof SimulatedTransaction;
      if (isJoint && this.#log.wouldAppend(this.#identity, seq)) rows.commit();
      const appended = this.#log.append(this.#identity, { seq, entry }, false);
      if (appended.is === "appended" && customary.length > 0) this.#log.customary = customary;
      return appended;
    });
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    const entriesAtOnce = 3;
    while (await this.#change("store.prune", signal, () => this.#log.pruneSome(before, entriesAtOnce)));
  }

  beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    return this.#change("store.beat", signal, () => {
      const last = this.#log.heartbeat;
      if (last === undefined || last.epoch <= heartbeat.epoch) this.#log.heartbeat = heartbeat;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#change("store.close", undefined, () => this.#log.release(this.#identity));
  }

  #change<T>(name: string, signal: AbortSignal | undefined, land: () => T): Promise<T> {
    return this.#process.request({ name, changes: true, signal, land });
  }
}
