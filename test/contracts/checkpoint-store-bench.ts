// What the checkpoint store suite works with: one test's job on one handle, entries to append, and the closing of it
// all.
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { CheckpointStore, Entry, Heartbeat, LogWriter, NumberedEntry } from "../../runtime/index.ts";

/** How the suite reaches the store under test. */
export interface CheckpointStoreHarness {
  readonly name: string;
  /** A fresh handle on the same place; the suite disposes it. */
  open(): Promise<CheckpointStore>;
  /** A job name that has no log there; at most 24 characters. */
  newJobName(): string;
  /** How often to append and prune, for a store that is slow; default 1,000. */
  readonly appends?: number;
}

/** Opens the store and picks a job for one test. */
export async function openBench(harness: CheckpointStoreHarness): Promise<Bench> {
  return new Bench(await harness.open(), harness.newJobName());
}

/** One test's job on one handle; closes all that it opened when it is disposed. */
export class Bench {
  readonly store: CheckpointStore;
  readonly job: string;
  readonly signal = new AbortController().signal;
  readonly #opened = new AsyncDisposableStack();

  constructor(store: CheckpointStore, job: string) {
    this.store = this.#opened.use(store);
    this.job = job;
  }

  /** Closes the writer at the end of the test. */
  use(writer: LogWriter): LogWriter {
    return this.#opened.use(writer);
  }

  /** Begins a term; by default right after the head. */
  async takeOver(begin: (head: bigint) => NumberedEntry = next("begin")): Promise<LogWriter> {
    return this.use(await this.store.takeOver(this.job, begin, this.signal));
  }

  /** Appends `count` entries from `from` on, each of which must be taken. */
  async append(writer: LogWriter, from: bigint, count: number): Promise<NumberedEntry[]> {
    const written: NumberedEntry[] = [];
    for (let seq = from; seq < from + BigInt(count); seq++) {
      const item = { seq, entry: entry(`entry ${seq}`) };
      expect(await writer.append(seq, item.entry, [], this.signal)).toEqual({ is: "appended" });
      written.push(item);
    }
    return written;
  }

  async entries(from = 0n): Promise<NumberedEntry[]> {
    return await collect(this.store.read(this.job, from, this.signal));
  }

  async numbers(): Promise<bigint[]> {
    return (await this.entries()).map(({ seq }) => seq);
  }

  async texts(): Promise<string[]> {
    return (await this.entries()).map((item) => Buffer.from(item.entry.bytes).toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** A token as the runtime makes them. */
export function token(): string {
  return randomBytes(16).toString("hex");
}

/** An entry with a token of its own. */
export function entry(text: string): Entry {
  return { token: token(), bytes: new TextEncoder().encode(text) };
}

/** Begins a term right after the head. */
export function next(text: string): (head: bigint) => NumberedEntry {
  return (head) => ({ seq: head + 1n, entry: entry(text) });
}

/** A heartbeat with what matters to a test changed. */
export function heartbeat(epoch: bigint, change: Partial<Heartbeat>): Heartbeat {
  return { epoch, beat: 0, atMs: 1_700_000_000_000, everyMs: 5_000, host: "host", pid: 1, stopped: false, ...change };
}

/** All that a read gives. */
export async function collect(items: AsyncIterable<NumberedEntry>): Promise<NumberedEntry[]> {
  const all: NumberedEntry[] = [];
  for await (const item of items) all.push(item);
  return all;
}
