// What every sink must do, as tests. A harness makes an empty place to write to and reads it back by other means than
// the sink; all else goes through the Sink interface. What only exactly-once sinks can do is asked of those alone.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { handedOver } from "../../runtime/engine/threads/transfer.ts";
import {
  type Batch,
  type BatchWrite,
  CheckpointCorruptError,
  type Guarantee,
  type OffsetRange,
  type Sink,
  type SinkContext,
  type SinkWriter,
  TidemarkError,
} from "../../runtime/index.ts";

/** The rows that the suite writes. */
export interface SuiteRow {
  readonly id: number;
  readonly text: string;
}

export interface SinkUnderTest extends AsyncDisposable {
  readonly sink: Sink<SuiteRow>;
  /** The rows that a reader of the system sees now, batch after batch, in the order they were written. */
  readAll(): Promise<readonly SuiteRow[]>;
  /**
   * What is left of batches that were begun and given up, in a few words each; undefined where there is no way to know.
   */
  leftovers?(): Promise<readonly string[]>;
}

export interface SinkHarness {
  readonly name: string;
  readonly guarantee: Guarantee;
  /** Whether opening shuts older writers out. */
  readonly fences: boolean;
  /** Texts that the system cannot hold: the encoder must refuse them, so that the record they come from is known. */
  readonly refusedTexts?: readonly string[];
  create(): Promise<SinkUnderTest>;
}

const LINEAGE = "0123456789abcdef0123456789abcdef";
const RANGES: readonly OffsetRange[] = [{ topic: "t", partition: 0, fromOffset: 0n, untilOffset: 10n }];
const HOSTILE = [
  "a\nb",
  "a\r\nb",
  '"',
  "a,b;c\t",
  "üñïcødé 🌊 \u2028",
  "\u0000",
  "'; drop table",
  "\\N",
  " ",
  "",
  "null",
];

/** Declares the suite for one sink. */
export function sinkContract(harness: SinkHarness): void {
  describe(`the sink contract: ${harness.name}`, () => {
    let signal: AbortSignal;
    let toClose: AsyncDisposableStack;
    let place: SinkUnderTest;
    beforeEach(async () => {
      signal = new AbortController().signal;
      toClose = new AsyncDisposableStack();
      place = toClose.use(await harness.create());
    });
    afterEach(() => toClose.disposeAsync());

    async function open(epoch: bigint, changes: Partial<SinkContext> = {}): Promise<SinkWriter> {
      const warn = () => undefined;
      const context = { jobName: "suite", baseDir: process.cwd(), warn, lineageId: LINEAGE, epoch, ...changes };
      return toClose.use(await place.sink.open(context, signal));
    }

    function batchOf(batchId: number, changes: Partial<Batch> = {}): Batch {
      const planHash = `aa${batchId}`.padEnd(16, "0");
      return { jobName: "suite", lineageId: LINEAGE, batchId, planHash, ranges: RANGES, signal, ...changes };
    }

    async function begin(writer: SinkWriter, batch: Batch): Promise<BatchWrite> {
      const begun = await writer.begin(batch);
      if (begun === "already-written") throw new Error(`batch ${batch.batchId} was already written`);
      return toClose.use(begun);
    }

    async function add(write: BatchWrite, rows: readonly SuiteRow[]): Promise<void> {
      const encoder = place.sink.encoder();
      for (const row of rows) encoder.add(row);
      const encoded = encoder.take();
      if (encoded !== undefined) await write.write(encoded);
    }

    async function writeBatch(writer: SinkWriter, batch: Batch, rows: readonly SuiteRow[]): Promise<void> {
      await using write = await begin(writer, batch);
      await add(write, rows);
      await write.commit();
    }

    async function expectNothingLeft(): Promise<void> {
      expect((await place.leftovers?.()) ?? []).toEqual([]);
    }

    const rowsOf = (from: number, until: number): SuiteRow[] =>
      Array.from({ length: until - from }, (_, at) => ({ id: from + at, text: `row ${from + at}` }));

    it("says what it guarantees", () => {
      expect(place.sink.guarantee).toBe(harness.guarantee);
    });

    it("shows a batch's rows when it is committed, and not before", async () => {
      const writer = await open(1n);
      const write = await begin(writer, batchOf(0));
      await add(write, rowsOf(0, 10));
      expect(await place.readAll()).toEqual([]);
      await write.commit();
      expect(await place.readAll()).toEqual(rowsOf(0, 10));
    });

    it("keeps the order of batches, of chunks, and of rows in a chunk", async () => {
      const writer = await open(1n);
      for (let batchId = 0; batchId < 3; batchId++) {
        await using write = await begin(writer, batchOf(batchId));
        for (let chunk = 0; chunk < 4; chunk++) {
          const from = batchId * 100 + chunk * 25;
          await add(write, rowsOf(from, from + 25));
        }
        await write.commit();
      }
      expect(await place.readAll()).toEqual(rowsOf(0, 300));
    });

    it("takes rows that were encoded in another thread, while the encoder goes on there", async () => {
      const writer = await open(1n);
      const write = await begin(writer, batchOf(0));
      const encoder = place.sink.encoder();
      for (let from = 0; from < 30; from += 10) {
        for (const row of rowsOf(from, from + 10)) encoder.add(row);
        const encoded = encoder.take();
        if (encoded === undefined) throw new Error("nothing was encoded");
        const transfer = place.sink.encodesToBytes ? [...handedOver(encoded).buffers] : [];
        await write.write(structuredClone(encoded, { transfer }));
      }
      await write.commit();
      expect(await place.readAll()).toEqual(rowsOf(0, 30));
    });

    it("throws a batch away that is disposed of before its commit", async () => {
      const writer = await open(1n);
      {
        await using write = await begin(writer, batchOf(0));
        await add(write, rowsOf(0, 10));
      }
      expect(await place.readAll()).toEqual([]);
      await expectNothingLeft();
      await writeBatch(writer, batchOf(0), rowsOf(5, 7));
      expect(await place.readAll()).toEqual(rowsOf(5, 7));
    });

    it("leaves nothing of a batch without rows", async () => {
      const writer = await open(1n);
      await writeBatch(writer, batchOf(0), []);
      expect(await place.readAll()).toEqual([]);
      await expectNothingLeft();
      await writeBatch(writer, batchOf(1), rowsOf(0, 1));
      expect(await place.readAll()).toEqual(rowsOf(0, 1));
    });

    it("gives back any text as it was written", async () => {
      const refused = harness.refusedTexts ?? [];
      const rows = HOSTILE.filter((text) => !refused.includes(text)).map((text, id) => ({ id, text }));
      for (const text of refused) expect(() => place.sink.encoder().add({ id: 0, text })).toThrow();
      await writeBatch(await open(1n), batchOf(0), rows);
      expect(await place.readAll()).toEqual(rows);
    });

    it("takes a large batch in chunks", async () => {
      const writer = await open(1n);
      await using write = await begin(writer, batchOf(0));
      for (let from = 0; from < 100_000; from += 2500) await add(write, rowsOf(from, from + 2500));
      await write.commit();
      expect(await place.readAll()).toEqual(rowsOf(0, 100_000));
    });

    it("encodes each task's rows apart, and gives nothing when there is nothing new", () => {
      const [one, other] = [place.sink.encoder(), place.sink.encoder()];
      one.add({ id: 1, text: "one" });
      expect(other.take()).toBeUndefined();
      expect(one.take()?.rowCount).toBe(1);
      expect(one.take()).toBeUndefined();
    });

    it("can be opened again after it was closed, and goes on", async () => {
      const first = await open(1n);
      await writeBatch(first, batchOf(0), rowsOf(0, 2));
      await first[Symbol.asyncDispose]();
      await writeBatch(await open(2n), batchOf(1), rowsOf(2, 4));
      expect(await place.readAll()).toEqual(rowsOf(0, 4));
    });

    describe("a batch without a recorded plan (isUnplanned)", () => {
      const unplanned = (batchId: number, changes: Partial<Batch> = {}) =>
        batchOf(batchId, { isUnplanned: true, ...changes });

      it("is written each time it comes, in the same run and in a later one, also under another plan", async () => {
        const first = await open(1n);
        await writeBatch(first, unplanned(0), rowsOf(0, 2));
        await writeBatch(first, unplanned(0), rowsOf(2, 4));
        await first[Symbol.asyncDispose]();
        const second = await open(2n);
        await writeBatch(second, unplanned(0, { planHash: "bb00000000000000" }), rowsOf(4, 7));
        expect((await place.readAll()).toSorted((a, b) => a.id - b.id)).toEqual(rowsOf(0, 7));
      });

      it("leaves no marker: the batch of the same number with a plan is written, and nothing is corrupt", async () => {
        const first = await open(1n);
        await writeBatch(first, unplanned(5), rowsOf(0, 2));
        await writeBatch(first, batchOf(3), rowsOf(2, 4));
        await first[Symbol.asyncDispose]();
        await writeBatch(await open(2n), batchOf(5), rowsOf(4, 6));
        expect((await place.readAll()).toSorted((a, b) => a.id - b.id)).toEqual(rowsOf(0, 6));
      });

      it.runIf(harness.fences)("is refused to an older run all the same", async () => {
        const zombie = await begin(await open(1n), unplanned(0));
        await add(zombie, rowsOf(0, 3));
        const rightful = await open(2n);
        await expect(zombie.commit()).rejects.toMatchObject({ retryable: true });
        await writeBatch(rightful, unplanned(0), rowsOf(0, 3));
        expect(await place.readAll()).toEqual(rowsOf(0, 3));
      });
    });

    describe.runIf(harness.guarantee === "exactly-once")("exactly-once", () => {
      it("says of the very batch that it has already been written, in the same run and in a later one", async () => {
        const first = await open(1n);
        await writeBatch(first, batchOf(0), rowsOf(0, 3));
        expect(await first.begin(batchOf(0))).toBe("already-written");
        await first[Symbol.asyncDispose]();
        const second = await open(2n);
        expect(await second.begin(batchOf(0))).toBe("already-written");
        await writeBatch(second, batchOf(1), rowsOf(3, 4));
        expect(await place.readAll()).toEqual(rowsOf(0, 4));
      });

      it("knows the batch of a run that died without closing", async () => {
        await writeBatch(await open(1n), batchOf(0), rowsOf(0, 3));
        const dying = await begin(await open(2n), batchOf(1));
        await add(dying, rowsOf(3, 5));
        const next = await open(3n);
        expect(await next.begin(batchOf(0))).toBe("already-written");
        await writeBatch(next, batchOf(1), rowsOf(3, 5));
        expect(await place.readAll()).toEqual(rowsOf(0, 5));
      });

      it("calls the same batchId under another plan corrupt, and writes nothing", async () => {
        const writer = await open(1n);
        await writeBatch(writer, batchOf(0), rowsOf(0, 3));
        const other = batchOf(0, { planHash: "bb00000000000000" });
        await expect(writer.begin(other)).rejects.toBeInstanceOf(CheckpointCorruptError);
        await expect((await open(2n)).begin(other)).rejects.toBeInstanceOf(CheckpointCorruptError);
        expect(await place.readAll()).toEqual(rowsOf(0, 3));
      });

      it("never takes another lineage's batch for its own", async () => {
        await writeBatch(await open(5n), batchOf(0), rowsOf(0, 2));
        const lineageId = "fedcba9876543210fedcba9876543210";
        const other = await open(1n, { lineageId });
        await writeBatch(other, batchOf(0, { lineageId }), rowsOf(2, 4));
        expect((await place.readAll()).toSorted((a, b) => a.id - b.id)).toEqual(rowsOf(0, 4));
      });
    });

    describe.runIf(harness.fences)("taking over", () => {
      /** Does what the scheduler does with one batch, and says how it ended. */
      async function attempt(writer: SinkWriter, batch: Batch, rows: readonly SuiteRow[]): Promise<unknown> {
        try {
          await writeBatch(writer, batch, rows);
          return "committed";
        } catch (error) {
          return error;
        }
      }

      it("shuts out the batch that an older run has begun", async () => {
        const zombie = await begin(await open(1n), batchOf(0));
        await add(zombie, rowsOf(0, 3));
        const rightful = await open(2n);
        await expect(zombie.commit()).rejects.toMatchObject({ retryable: true });
        expect(await place.readAll()).toEqual([]);
        await writeBatch(rightful, batchOf(0), rowsOf(0, 3));
        expect(await place.readAll()).toEqual(rowsOf(0, 3));
        await zombie[Symbol.asyncDispose]();
        expect(await place.readAll()).toEqual(rowsOf(0, 3));
      });

      it("shuts out what an older run does later, its closing included", async () => {
        const zombie = await open(1n);
        await writeBatch(zombie, batchOf(0), rowsOf(0, 1));
        const rightful = await open(2n);
        const ended = await attempt(zombie, batchOf(1), rowsOf(50, 60));
        expect(ended).toBeInstanceOf(TidemarkError);
        expect(ended).toMatchObject({ retryable: true });
        await zombie[Symbol.asyncDispose]();
        await writeBatch(rightful, batchOf(1), rowsOf(1, 2));
        expect(await place.readAll()).toEqual(rowsOf(0, 2));
      });

      it("finds what an older run committed just before", async () => {
        const older = await open(1n);
        await writeBatch(older, batchOf(0), rowsOf(0, 3));
        expect(await (await open(2n)).begin(batchOf(0))).toBe("already-written");
      });

      it("lets at most one write, and the newest always, when several open at once", async () => {
        const epochs = [1n, 2n, 3n, 4n];
        const opened = await Promise.allSettled(epochs.map((epoch) => open(epoch)));
        const writers = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
        for (const each of opened)
          if (each.status === "rejected") expect(each.reason).toMatchObject({ retryable: true });
        const ends = [];
        for (const writer of writers) ends.push(await attempt(writer, batchOf(0), rowsOf(0, 3)));
        expect(ends.filter((end) => end === "committed").length).toBeLessThanOrEqual(1);
        const newest = await open(5n);
        if ((await newest.begin(batchOf(0))) !== "already-written") await writeBatch(newest, batchOf(0), rowsOf(0, 3));
        expect(await place.readAll()).toEqual(rowsOf(0, 3));
      });
    });
  });
}
