// The memory store, for tests and for jobs that may forget: one object holds every job's log, and all who have the
// object share it. Each step between two awaits is atomic, so the property of a store holds by itself; bytes are copied
// on the way in and out, so that nobody can change an entry afterwards.
import type {
  Appended,
  CheckpointStore,
  Entry,
  Heartbeat,
  LogBounds,
  LogWriter,
  NumberedEntry,
  Position,
} from "../runtime/index.ts";
import { checkJobName } from "./job-name.ts";

const MAX_ENTRY_BYTES = 64 * 1024 * 1024;

interface MemoryLog {
  /** In order of seq, which is the order of insertion. */
  readonly entries: Map<bigint, Entry>;
  head: bigint;
  writer: MemoryLogWriter | undefined;
  heartbeat: Heartbeat | undefined;
}

/** A store that lives as long as this object; every holder of it sees the same logs. */
export function memoryStore(): CheckpointStore {
  return new MemoryStore();
}

class MemoryStore implements CheckpointStore {
  readonly url = "memory:";
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly isVolatile = true;
  readonly #logs = new Map<string, MemoryLog>();

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    const log = this.#find(jobName, signal);
    const first = log && firstOf(log);
    return log === undefined || first === undefined ? undefined : { first, head: log.head };
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    const log = this.#find(jobName, signal);
    for (const [seq, entry] of [...(log?.entries ?? [])]) {
      signal.throwIfAborted();
      if (seq >= from) yield { seq, entry: copyOf(entry) };
    }
  }

  async takeOver(jobName: string, begin: (head: bigint) => NumberedEntry, signal: AbortSignal): Promise<LogWriter> {
    const log = this.#find(jobName, signal) ?? {
      entries: new Map<bigint, Entry>(),
      head: -1n,
      writer: undefined,
      heartbeat: undefined,
    };
    this.#logs.set(jobName, log);
    const writer = new MemoryLogWriter(log);
    log.writer = writer;
    const { seq, entry } = begin(log.head);
    if (seq <= log.head) throw new RangeError(`a term cannot begin at entry ${seq}: the head is ${log.head}`);
    put(log, seq, entry);
    return writer;
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    const heartbeat = this.#find(jobName, signal)?.heartbeat;
    return heartbeat && { ...heartbeat };
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    signal.throwIfAborted();
    return [...this.#logs]
      .filter(([, log]) => log.entries.size > 0)
      .map(([jobName]) => jobName)
      .sort();
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    signal.throwIfAborted();
    return ["a memory: checkpoint is gone when the process ends: use file: for a job that must resume"];
  }

  /** The logs stay: others may hold this object. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #find(jobName: string, signal: AbortSignal): MemoryLog | undefined {
    checkJobName(jobName);
    signal.throwIfAborted();
    return this.#logs.get(jobName);
  }
}

class MemoryLogWriter implements LogWriter {
  readonly #log: MemoryLog;

  constructor(log: MemoryLog) {
    this.#log = log;
  }

  async append(seq: bigint, entry: Entry, _customary: readonly Position[], signal: AbortSignal): Promise<Appended> {
    signal.throwIfAborted();
    const log = this.#log;
    const there = log.entries.get(seq);
    if (there !== undefined) return { is: "exists", entry: copyOf(there) };
    if (log.writer !== this || seq !== log.head + 1n) return { is: "behind", head: log.head };
    put(log, seq, entry);
    return { is: "appended" };
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const log = this.#log;
    if (log.writer !== this) return;
    for (const seq of log.entries.keys()) {
      if (seq >= before || seq === log.head) return;
      log.entries.delete(seq);
    }
  }

  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const last = this.#log.heartbeat;
    if (last === undefined || last.epoch <= heartbeat.epoch) this.#log.heartbeat = { ...heartbeat };
  }

  /** A closed writer can append no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#log.writer === this) this.#log.writer = undefined;
  }
}

function put(log: MemoryLog, seq: bigint, entry: Entry): void {
  if (entry.bytes.byteLength > MAX_ENTRY_BYTES) {
    throw new RangeError(`an entry of ${entry.bytes.byteLength} bytes is larger than ${MAX_ENTRY_BYTES}`);
  }
  log.entries.set(seq, copyOf(entry));
  log.head = seq;
}

function firstOf(log: MemoryLog): bigint | undefined {
  return log.entries.keys().next().value;
}

function copyOf({ token, bytes }: Entry): Entry {
  // Not `bytes.slice()`: a Buffer's gives a view.
  return { token, bytes: new Uint8Array(bytes) };
}
