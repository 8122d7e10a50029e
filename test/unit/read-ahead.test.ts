// Records of the next batch that are read while the one before is written and recorded: they change how soon, never
// what is read.
import { map, type Observable } from "rxjs";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import type { OffsetRange } from "../../runtime/contract/positions.ts";
import type { ReadOptions, RecordChunk, Source, SourceReader } from "../../runtime/contract/source.ts";
import { ReadAhead } from "../../runtime/engine/read-ahead.ts";
import { defineJob, PipelineError, PlainRowEncoder, runJob, type Sink, TransientError } from "../../runtime/index.ts";

type Chunk = RecordChunk<unknown>;

/** A log of numbers, a chunk each, that notes what becomes of its reads. */
class CountingLog {
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  chunks = 0;
  /** Before a chunk is given. */
  before: (offset: bigint, signal: AbortSignal) => Promise<void> = async () => {};

  async *read({ partition, fromOffset, untilOffset }: OffsetRange, { signal, skip }: ReadOptions) {
    const name = `${partition}:${fromOffset}-${untilOffset}`;
    this.begun.push(name);
    try {
      for (let offset = fromOffset; offset < untilOffset; offset++) {
        await this.before(offset, signal);
        signal.throwIfAborted();
        this.chunks++;
        yield { records: skip.has(offset) ? [] : [{ offset }], tombstones: 0 };
      }
    } finally {
      this.ended.push(name);
    }
  }

  async readRaw() {
    return undefined;
  }
}

const range = (partition: number, from: number, until: number): OffsetRange => {
  return { topic: "t", partition, fromOffset: BigInt(from), untilOffset: BigInt(until) };
};
const options = (signal = new AbortController().signal, skip: readonly bigint[] = []) => ({
  signal,
  skip: new Set(skip),
});
const upTo = (until: number) => Array.from({ length: until }, (_, offset) => BigInt(offset));
const allThatFollows = () => new Promise((resolve) => setImmediate(resolve));

const offsetsOf = ({ records }: Chunk) => records.map((record) => (record as { offset: bigint }).offset);

async function offsetsIn(chunks: AsyncIterable<Chunk>): Promise<bigint[]> {
  const offsets: bigint[] = [];
  for await (const chunk of chunks) offsets.push(...offsetsOf(chunk));
  return offsets;
}

/** Waits until a promise that never settles is given up. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

describe("what is read ahead", () => {
  test("is handed out in order and once, and then reading goes on", async () => {
    const log = new CountingLog();
    await using ahead = new ReadAhead(log);
    ahead.expect([range(0, 0, 3), range(1, 0, 100)]);
    await expect.poll(() => log.chunks).toBe(24);
    await allThatFollows();
    expect(log.chunks).toBe(24);
    expect(await offsetsIn(ahead.read(range(0, 0, 3), options()))).toEqual(upTo(3));
    expect(await offsetsIn(ahead.read(range(1, 0, 100), options()))).toEqual(upTo(100));
    expect(log.begun).toEqual(["0:0-3", "1:0-100"]);
    expect(log.chunks).toBe(103);
  });

  test("is read anew for another range, without some records, and a second time", async () => {
    const log = new CountingLog();
    await using ahead = new ReadAhead(log);
    for (const asked of [range(0, 1, 3), range(0, 0, 2)]) {
      ahead.expect([range(0, 0, 3)]);
      await allThatFollows();
      await offsetsIn(ahead.read(asked, options()));
    }
    ahead.expect([range(0, 0, 3)]);
    await allThatFollows();
    expect(await offsetsIn(ahead.read(range(0, 0, 3), options(undefined, [1n])))).toEqual([0n, 2n]);
    expect(await offsetsIn(ahead.read(range(0, 0, 3), options()))).toEqual(upTo(3));
    expect(log.begun).toEqual(["0:0-3", "0:1-3", "0:0-3", "0:0-2", "0:0-3", "0:0-3", "0:0-3"]);
    expect(log.ended).toHaveLength(log.begun.length);
  });

  test("fails only when its range is really read, with the very same error, behind what came before it", async () => {
    const log = new CountingLog();
    const error = new TransientError("away");
    log.before = async (offset) => {
      if (offset === 2n) throw error;
    };
    await using ahead = new ReadAhead(log);
    ahead.expect([range(0, 0, 4), range(1, 0, 4)]);
    await allThatFollows();
    expect(log.begun).toEqual(["0:0-4"]);
    const records: bigint[] = [];
    const reading = (async () => {
      for await (const chunk of ahead.read(range(0, 0, 4), options())) records.push(...offsetsOf(chunk));
    })();
    await expect(reading).rejects.toBe(error);
    expect(records).toEqual(upTo(2));
  });

  test("begins nothing more once one of its ranges is really read", async () => {
    const log = new CountingLog();
    const { promise, resolve } = Promise.withResolvers<void>();
    log.before = () => promise;
    await using ahead = new ReadAhead(log);
    ahead.expect([range(0, 0, 2), range(1, 0, 2)]);
    const reading = offsetsIn(ahead.read(range(0, 0, 2), options()));
    resolve();
    expect(await reading).toEqual(upTo(2));
    await allThatFollows();
    expect(log.begun).toEqual(["0:0-2"]);
  });

  test("is given up when others are expected, and when it is closed", async () => {
    const log = new CountingLog();
    {
      await using ahead = new ReadAhead(log);
      ahead.expect([range(0, 0, 100)]);
      await allThatFollows();
      ahead.expect([range(0, 50, 100)]);
      await allThatFollows();
      expect(log.ended).toEqual(["0:0-100"]);
    }
    await allThatFollows();
    expect(log.ended).toEqual(["0:0-100", "0:50-100"]);
  });

  test("is aborted by the signal of whoever really reads it", async () => {
    const log = new CountingLog();
    log.before = (_, signal) => untilAborted(signal);
    await using ahead = new ReadAhead(log);
    ahead.expect([range(0, 0, 2)]);
    const giveUp = new AbortController();
    const reading = offsetsIn(ahead.read(range(0, 0, 2), options(giveUp.signal)));
    const reason = new Error("given up");
    giveUp.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(log.ended).toEqual(["0:0-2"]);
  });
});

/** A source whose reads and looks are watched. */
function watched(source: Source<unknown>, watch: Partial<Pick<SourceReader, "read">> & { look?: () => void }) {
  const open: typeof source.open = async (context, signal) => {
    const reader = await source.open(context, signal);
    const { partitions, read } = reader;
    reader.partitions = (asked) => {
      watch.look?.();
      return partitions.call(reader, asked);
    };
    reader.read = watch.read ?? read.bind(reader);
    return reader;
  };
  return { ...source, open };
}

/** A sink that keeps nothing, and takes its time to commit. */
function committing(commit: () => Promise<void>): Sink<unknown> {
  const write = { write: async () => {}, commit, async [Symbol.asyncDispose]() {} };
  const writer = { begin: async () => write, async [Symbol.asyncDispose]() {} };
  return {
    kind: "slow",
    guarantee: "at-least-once",
    encoder: () => new PlainRowEncoder<unknown>(),
    open: async () => writer,
  };
}

function numbersJob(source: Source<unknown>, sink: Sink<unknown>) {
  return defineJob({
    name: "numbers",
    source,
    sink,
    pipeline: (records$: Observable<unknown>) => records$.pipe(map((record) => record)),
    checkpoint: memoryStore(),
    trigger: "available-now",
    maxOffsetsPerBatch: 5,
  });
}

const numbers = () => memorySource({ records: Array.from({ length: 20 }, (_, number) => number) });

describe("a job", () => {
  test("that is told to stop ends without waiting for what it reads ahead", async () => {
    const stop = new AbortController();
    let wasGivenUp = false;
    const log = new CountingLog();
    log.before = async (offset, signal) => {
      if (offset < 5n) return;
      stop.abort();
      await untilAborted(signal).finally(() => {
        wasGivenUp = true;
      });
    };
    const source = watched(numbers(), { read: (...asked) => log.read(...asked) });
    // Read ahead while the batch is committed.
    const sink = committing(async () => {
      while (!stop.signal.aborted) await allThatFollows();
    });
    const result = await runJob(numbersJob(source, sink), { signal: stop.signal });
    expect(result).toMatchObject({ reason: "stopped", batches: 1 });
    await allThatFollows();
    expect(wasGivenUp).toBe(true);
    expect(log.ended).toEqual(["0:0-5", "0:5-10"]);
  });

  test("whose commit fails gives up looking at what follows", async () => {
    const looking = Promise.withResolvers<void>();
    let hasRead = false;
    let gaveUp = false;
    const source = numbers();
    const open: typeof source.open = async (context, signal) => {
      const reader = await source.open(context, signal);
      const { partitions, read } = reader;
      reader.read = (...asked) => {
        hasRead = true;
        return read.apply(reader, asked);
      };
      reader.partitions = async (asked) => {
        if (!hasRead) return await partitions.call(reader, asked);
        looking.resolve();
        return await untilAborted(asked).finally(() => {
          gaveUp = true;
        });
      };
      return reader;
    };
    const sink = committing(async () => {
      await looking.promise;
      throw new PipelineError("the disk is full");
    });
    await expect(runJob(numbersJob({ ...source, open }, sink))).rejects.toThrow("the disk is full");
    await allThatFollows();
    expect(gaveUp).toBe(true);
  });

  test("that is behind asks for the bounds once a batch", async () => {
    let looks = 0;
    const sink = memorySink<unknown>();
    const source = watched(numbers(), { look: () => looks++ });
    const looksAt: number[] = [];
    const onEvent = ({ type }: { type: string }) => void (type === "completed" && looksAt.push(looks));
    await runJob(numbersJob(source, sink), { onEvent });
    expect(sink.rows).toHaveLength(20);
    // The last one but one finds less than a full batch, and looks again when it has been committed.
    expect(looksAt.map((count, index) => count - (looksAt[index - 1] ?? 0)).slice(1)).toEqual([1, 2, 1]);
  });
});
