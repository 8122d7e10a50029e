// What every source must do, as tests. A harness makes a log with given texts in it; all else goes through the Source
// interface. Offsets are taken to be dense from 0 here: the harness writes plainly, one record after the other.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  DataLossError,
  type Deserializer,
  type OffsetRange,
  PoisonRecordError,
  type Source,
  type SourceReader,
  type SourceRecord,
  text,
} from "../../runtime/index.ts";
import { numberBelow, seedOf } from "./random.ts";

/** Values of one partition; null is a record without a value. */
type Values = readonly (string | null)[];

export interface SourceSetup {
  readonly partitions: readonly Values[];
  /** How a value becomes a string again; sources that do not decode ignore it. */
  readonly value: Deserializer<string>;
  readonly tombstones: boolean;
  /** Each record's time, where the harness says that it `canTell: timestamps`. */
  readonly timestamp: (value: string) => number;
}

export interface SourceUnderTest extends AsyncDisposable {
  readonly source: Source<SourceRecord<string | null>>;
  readonly topic: string;
  /** Adds records to a partition, made if need be; resolves when they can be read. */
  append(partition: number, values: Values): Promise<void>;
  /** Puts another log in a partition's place; undefined where that cannot happen. */
  replace?(partition: number, values: Values): Promise<void>;
}

export interface SourceHarness {
  readonly name: string;
  /** Runs the deserializer; false: hands out values as they are. */
  readonly decodes: boolean;
  readonly marks: boolean;
  create(setup: SourceSetup): Promise<SourceUnderTest>;
}

const OPEN_CONTEXT = { jobName: "suite", baseDir: process.cwd(), warn: () => undefined };
const NOTHING: ReadonlySet<bigint> = new Set();
const HOSTILE = ['"quotes"', "tab\tand \\ backslash", "üñïcødé 🌊 \u2028", " spaces ", "nul\u0000", "a,b;c", "{}", "0"];

/** A text that the poisonable deserializer refuses. */
const POISON = "poison";
const poisonable: Deserializer<string> = {
  deserialize(bytes) {
    const decoded = Buffer.from(bytes).toString();
    if (decoded.startsWith(POISON)) throw new Error("this one is poison");
    return decoded;
  },
};

interface Opened extends SourceUnderTest {
  readonly reader: SourceReader<SourceRecord<string | null>>;
}

interface ReadSoFar {
  readonly values: (string | null)[];
  readonly offsets: bigint[];
  readonly tombstones: number;
  readonly chunkSizes: number[];
  readonly error?: unknown;
}

/** Declares the suite for one source. */
export function sourceContract(harness: SourceHarness): void {
  describe(`the source contract: ${harness.name}`, () => {
    let signal: AbortSignal;
    let abort: AbortController;
    let toClose: AsyncDisposableStack;
    beforeEach(() => {
      abort = new AbortController();
      signal = abort.signal;
      toClose = new AsyncDisposableStack();
    });
    afterEach(() => toClose.disposeAsync());

    async function open(partitions: readonly Values[], setup: Partial<SourceSetup> = {}): Promise<Opened> {
      const created = await harness.create({
        partitions,
        value: text(),
        tombstones: false,
        timestamp: () => 0,
        ...setup,
      });
      toClose.use(created);
      const reader = toClose.use(await created.source.open(OPEN_CONTEXT, signal));
      return {
        reader,
        source: created.source,
        topic: created.topic,
        append: (partition, values) => created.append(partition, values),
        replace: async (partition, values) => created.replace?.(partition, values),
        [Symbol.asyncDispose]: async () => undefined,
      };
    }

    function rangeOf({ topic }: Opened, partition: number, from: number, until: number): OffsetRange {
      return { topic, partition, fromOffset: BigInt(from), untilOffset: BigInt(until) };
    }

    /** Reads a range to its end or its error, checking what must hold for every record. */
    async function read(opened: Opened, range: OffsetRange, skip = NOTHING): Promise<ReadSoFar> {
      const values: (string | null)[] = [];
      const offsets: bigint[] = [];
      const chunkSizes: number[] = [];
      let tombstones = 0;
      try {
        for await (const chunk of opened.reader.read(range, { signal, skip })) {
          tombstones += chunk.tombstones;
          chunkSizes.push(chunk.records.length);
          for (const record of chunk.records) {
            if (record.topic !== range.topic || record.partition !== range.partition)
              throw new Error("another partition");
            values.push(record.value);
            offsets.push(record.offset);
          }
        }
      } catch (error) {
        return { values, offsets, tombstones, chunkSizes, error };
      }
      return { values, offsets, tombstones, chunkSizes };
    }

    async function bounds(opened: Opened): Promise<string[]> {
      const found = await opened.reader.partitions(signal);
      return found.map(({ topic, partition, earliest, latest }) => `${topic}:${partition}:${earliest}-${latest}`);
    }

    it("lists its partitions sorted, with the first offset and the one after the last", async () => {
      const opened = await open([["a", "b"], [], ["c"]]);
      const { topic } = opened;
      expect(await bounds(opened)).toEqual([`${topic}:0:0-2`, `${topic}:1:0-0`, `${topic}:2:0-1`]);
    });

    it("reads a range in offset order and ends before untilOffset", async () => {
      const opened = await open([["a", "b", "c", "d", "e"]]);
      const { values, offsets, error } = await read(opened, rangeOf(opened, 0, 1, 4));
      expect(error).toBeUndefined();
      expect(values).toEqual(["b", "c", "d"]);
      expect(offsets).toEqual([1n, 2n, 3n]);
    });

    it("reads nothing from an empty range, even at the end of the log", async () => {
      const opened = await open([["a", "b"], []]);
      for (const range of [rangeOf(opened, 0, 1, 1), rangeOf(opened, 0, 2, 2), rangeOf(opened, 1, 0, 0)]) {
        expect(await read(opened, range)).toEqual({
          values: [],
          offsets: [],
          tombstones: 0,
          chunkSizes: expect.anything(),
        });
      }
    });

    it("reads a range again with the same records, also after the log has grown", async () => {
      const opened = await open([["a", "b", "c"]]);
      const first = await read(opened, rangeOf(opened, 0, 0, 2));
      await opened.append(0, ["d"]);
      expect(await read(opened, rangeOf(opened, 0, 0, 2))).toEqual(first);
    });

    it("sees records and partitions that were added after it was opened", async () => {
      const opened = await open([["a"]]);
      const { topic } = opened;
      expect(await bounds(opened)).toEqual([`${topic}:0:0-1`]);
      await opened.append(0, ["b"]);
      await opened.append(1, ["x"]);
      expect(await bounds(opened)).toEqual([`${topic}:0:0-2`, `${topic}:1:0-1`]);
      expect((await read(opened, rangeOf(opened, 0, 1, 2))).values).toEqual(["b"]);
      expect((await read(opened, rangeOf(opened, 1, 0, 1))).values).toEqual(["x"]);
    });

    it("ends a wait for more when there is more, and at once where there is already, if it can tell", async (test) => {
      const opened = await open([["a"], ["x", "y"]]);
      const ends = (await opened.reader.partitions(signal)).map((bound) => ({ ...bound, offset: bound.latest }));
      const waiting = opened.reader.waitForMore?.(ends, signal);
      if (waiting === undefined) return test.skip();
      await opened.append(1, ["z"]);
      await waiting;
      await opened.reader.waitForMore?.(ends, signal);
    });

    it("ends a wait for more at once when it is told to, and can wait again", async (test) => {
      const opened = await open([["a"]]);
      const ends = (await opened.reader.partitions(signal)).map((bound) => ({ ...bound, offset: bound.latest }));
      const stop = new AbortController();
      const waiting = opened.reader.waitForMore?.(ends, stop.signal);
      if (waiting === undefined) return test.skip();
      stop.abort(new Error("that is enough"));
      await expect(waiting).rejects.toThrow("that is enough");
      await expect(opened.reader.waitForMore?.(ends, stop.signal)).rejects.toThrow("that is enough");
      const again = opened.reader.waitForMore?.(ends, signal);
      await opened.append(0, ["b"]);
      await again;
    });

    it("gives back any text as it was written", async () => {
      const opened = await open([HOSTILE]);
      expect((await read(opened, rangeOf(opened, 0, 0, HOSTILE.length))).values).toEqual(HOSTILE);
    });

    it("reads any part of a long log, in chunks", async () => {
      const { seed, random } = seedOf("source");
      const all = Array.from({ length: 30_000 }, (_, at) => `${at} ${"x".repeat(numberBelow(random, 60))}`);
      const opened = await open([all]);
      const whole = await read(opened, rangeOf(opened, 0, 0, all.length));
      expect(whole.values).toEqual(all);
      expect(whole.chunkSizes.length).toBeGreaterThan(1);
      for (let round = 0; round < 20; round++) {
        const from = numberBelow(random, all.length);
        const until = from + numberBelow(random, Math.min(3000, all.length - from) + 1);
        const part = await read(opened, rangeOf(opened, 0, from, until));
        expect(part.values, `seed ${seed}, ${from}-${until}`).toEqual(all.slice(from, until));
      }
    });

    it("reads ranges that follow one another without loss or repetition", async () => {
      const { seed, random } = seedOf("source");
      const all = Array.from({ length: 30_000 }, (_, at) => `${at} ${"x".repeat(numberBelow(random, 60))}`);
      const opened = await open([all]);
      const values: (string | null)[] = [];
      for (let from = 0; from < all.length; ) {
        const until = Math.min(all.length, from + 1 + numberBelow(random, 2000));
        values.push(...(await read(opened, rangeOf(opened, 0, from, until))).values);
        from = until;
      }
      expect(values, `seed ${seed}`).toEqual(all);
    });

    it("reads several ranges at the same time", async () => {
      const logs = [0, 1, 2].map((log) => Array.from({ length: 5000 }, (_, at) => `${log}/${at}`));
      const opened = await open(logs);
      const reads = [...logs.keys(), 0].map((partition) => read(opened, rangeOf(opened, partition, 10, 4990)));
      const found = await Promise.all(reads);
      expect(found.map(({ values }) => values)).toEqual([...logs, logs[0]].map((log) => log?.slice(10, 4990)));
    });

    it("can be left in the middle of a range and used again", async () => {
      const all = Array.from({ length: 20_000 }, (_, at) => `value ${at}`);
      const opened = await open([all]);
      for await (const chunk of opened.reader.read(rangeOf(opened, 0, 0, all.length), { signal, skip: NOTHING })) {
        expect(chunk.records[0]?.value).toBe("value 0");
        break;
      }
      expect((await read(opened, rangeOf(opened, 0, 5, 7))).values).toEqual(["value 5", "value 6"]);
    });

    it("stops reading when it is told to", async () => {
      const all = Array.from({ length: 50_000 }, (_, at) => `value ${at}`);
      const opened = await open([all]);
      let records = 0;
      const reading = async () => {
        for await (const chunk of opened.reader.read(rangeOf(opened, 0, 0, all.length), { signal, skip: NOTHING })) {
          records += chunk.records.length;
          abort.abort();
        }
      };
      await expect(reading()).rejects.toThrow(/abort/i);
      expect(records).toBeLessThan(all.length);
    });

    it("leaves out the offsets that are to be skipped", async () => {
      const opened = await open([["a", "b", "c", "d"]]);
      const { offsets } = await read(opened, rangeOf(opened, 0, 0, 4), new Set([0n, 2n, 99n]));
      expect(offsets).toEqual([1n, 3n]);
    });

    it("leaves records without a value out and counts them", async () => {
      const opened = await open([["a", null, "b", null, null]]);
      expect(await bounds(opened)).toEqual([`${opened.topic}:0:0-5`]);
      expect(await read(opened, rangeOf(opened, 0, 0, 5))).toMatchObject({
        values: ["a", "b"],
        offsets: [0n, 2n],
        tombstones: 3,
      });
    });

    it("hands out records without a value when they are wanted", async () => {
      const opened = await open([["a", null, "b"]], { tombstones: true });
      expect(await read(opened, rangeOf(opened, 0, 0, 3))).toMatchObject({ values: ["a", null, "b"], tombstones: 0 });
    });

    it("gives a record's bytes undecoded, and nothing where there is no record", async () => {
      const opened = await open([["a", "bé", null]]);
      const at = { topic: opened.topic, partition: 0 };
      const raw = await opened.reader.readRaw({ ...at, offset: 1n }, signal);
      expect(Buffer.from(raw?.value ?? []).toString()).toContain("bé");
      expect(raw).toMatchObject({ ...at, offset: 1n });
      expect((await opened.reader.readRaw({ ...at, offset: 2n }, signal))?.value).toBeNull();
      expect(await opened.reader.readRaw({ ...at, offset: 3n }, signal)).toBeUndefined();
      expect(await opened.reader.readRaw({ ...at, partition: 7, offset: 0n }, signal)).toBeUndefined();
    });

    it("says exactly which part of a range is not there, after handing out what is", async () => {
      const opened = await open([["a", "b", "c"]]);
      const { values, error } = await read(opened, rangeOf(opened, 0, 1, 9));
      expect(values).toEqual(["b", "c"]);
      expect(error).toBeInstanceOf(DataLossError);
      expect((error as DataLossError).lost).toMatchObject([{ partition: 0, fromOffset: 3n, untilOffset: 9n }]);
      const nowhere = await read(opened, rangeOf(opened, 5, 0, 2));
      expect(nowhere.error).toBeInstanceOf(DataLossError);
      expect((nowhere.error as DataLossError).lost).toMatchObject([{ partition: 5, fromOffset: 0n, untilOffset: 2n }]);
    });

    it("finds the first offset at or after a time, and the end where there is none", async () => {
      const timestamp = (value: string) => Number(value);
      const times = Array.from({ length: 20_000 }, (_, at) => String(1000 + Math.floor(at / 3) * 10));
      const same = times.map(() => "1000");
      const opened = await open([times, ["5"], [], same], { timestamp });
      const offsetsAt = async (timestampMs: number) => {
        const found = await opened.reader.offsetsAtTime(timestampMs, signal);
        return found.map(({ offset }) => offset);
      };
      expect(await offsetsAt(0)).toEqual([0n, 0n, 0n, 0n]);
      expect(await offsetsAt(1000)).toEqual([0n, 1n, 0n, 0n]);
      expect(await offsetsAt(1001)).toEqual([3n, 1n, 0n, 20_000n]);
      expect(await offsetsAt(51_000)).toEqual([15_000n, 1n, 0n, 20_000n]);
      expect(await offsetsAt(Number.MAX_SAFE_INTEGER)).toEqual([20_000n, 1n, 0n, 20_000n]);
    });

    it("keeps positions as they are when it marks them", async () => {
      const opened = await open([["a", "b"], ["c"]]);
      const at = { topic: opened.topic };
      const positions = [
        { ...at, partition: 0, offset: 2n },
        { ...at, partition: 1, offset: 0n },
      ];
      const marked = await opened.reader.mark(positions, signal);
      expect(marked).toMatchObject(positions);
      for (const { mark } of marked) expect((mark ?? "").length).toBeLessThanOrEqual(256);
      await opened.append(0, ["more"]);
      await opened.append(1, ["more"]);
      expect(await opened.reader.mismatches(marked, signal)).toEqual([]);
    });

    describe.runIf(harness.decodes)("decoding", () => {
      it("names the offset of a record that cannot be decoded, and reads on without it", async () => {
        const opened = await open([["a", "b", POISON, "c", POISON]], { value: poisonable });
        const range = rangeOf(opened, 0, 0, 5);
        const { error, values } = await read(opened, range);
        expect(error).toBeInstanceOf(PoisonRecordError);
        expect(error).toMatchObject({ topic: opened.topic, partition: 0, offset: 2n, retryable: false });
        expect(["a", "b"].slice(0, values.length)).toEqual(values);
        expect((await read(opened, range, new Set([2n]))).error).toMatchObject({ offset: 4n });
        expect((await read(opened, range, new Set([2n, 4n]))).values).toEqual(["a", "b", "c"]);
        const raw = await opened.reader.readRaw({ topic: opened.topic, partition: 0, offset: 4n }, signal);
        expect(Buffer.from(raw?.value ?? []).toString()).toBe(POISON);
      });

      it("waits for deserializers that return promises, and keeps the order", async () => {
        let waiting = 0;
        const slow: Deserializer<string> = {
          async deserialize(bytes) {
            const decoded = Buffer.from(bytes).toString();
            for (let turn = 0; turn < (waiting++ * 7) % 5; turn++) await Promise.resolve();
            return `${decoded}!`;
          },
        };
        const all = Array.from({ length: 500 }, (_, at) => `${at}`);
        const opened = await open([all], { value: slow });
        expect((await read(opened, rangeOf(opened, 0, 0, 500))).values).toEqual(all.map((value) => `${value}!`));
      });

      it.each([1, 2])("finds the same poison first, whichever promise fails first (%i waits)", async (waiting) => {
        const value: Deserializer<string> = {
          async deserialize(bytes) {
            const decoded = Buffer.from(bytes).toString();
            if (decoded === `${POISON} ${waiting}`) await new Promise((resolve) => setImmediate(resolve));
            if (decoded.startsWith(POISON)) throw new Error(decoded);
            return decoded;
          },
        };
        const opened = await open([["a", `${POISON} 1`, `${POISON} 2`]], { value });
        expect((await read(opened, rangeOf(opened, 0, 0, 3))).error).toMatchObject({ offset: 1n });
      });
    });

    describe.runIf(harness.marks)("marks", () => {
      it("tell a log that was replaced from one that grew", async () => {
        const values = (version: string) => Array.from({ length: 50 }, (_, at) => `${version} ${at}`);
        const opened = await open([values("old"), values("same")]);
        const at = { topic: opened.topic, offset: 40n };
        const marked = await opened.reader.mark(
          [
            { ...at, partition: 0 },
            { ...at, partition: 1 },
          ],
          signal,
        );
        await opened.replace?.(0, values("new"));
        await opened.append(1, ["more"]);
        const found = await opened.reader.mismatches(marked, signal);
        expect(found.map(({ position }) => position)).toEqual([marked[0]]);
        expect(found[0]?.reason).toMatch(/\w/);
      });

      it("tell a log that became shorter than the position", async () => {
        const opened = await open([["a", "b", "c"]]);
        const marked = await opened.reader.mark([{ topic: opened.topic, partition: 0, offset: 3n }], signal);
        await opened.replace?.(0, ["a"]);
        expect(await opened.reader.mismatches(marked, signal)).toMatchObject([{ position: { offset: 3n } }]);
      });
    });
  });
}
