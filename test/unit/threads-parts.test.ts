// The parts that threads are made of, alone: who runs what, whose rows are written when, and what crosses unharmed.
import { describe, expect, test } from "vitest";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import { systemClock } from "../../runtime/clock.ts";
import { asSent } from "../../runtime/engine/threads/crossing.ts";
import type { FromThread } from "../../runtime/engine/threads/messages.ts";
import { OutgoingRows } from "../../runtime/engine/threads/outgoing-rows.ts";
import { fromPortable, toPortable } from "../../runtime/engine/threads/portable-error.ts";
import { RowOrigins, RowsInTurn } from "../../runtime/engine/threads/rows-in-turn.ts";
import { splitTasks, TaskShares } from "../../runtime/engine/threads/share-tasks.ts";
import { handedOver } from "../../runtime/engine/threads/transfer.ts";
import {
  CheckpointCorruptError,
  ConfigError,
  DataLossError,
  defineJob,
  FencedError,
  json,
  type OffsetRange,
  OutcomeUnknownError,
  PipelineError,
  PoisonRecordError,
  RecordDecoder,
  TransientError,
} from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const range = (partition: number, fromOffset = 0n, untilOffset = 100n): OffsetRange => {
  return { topic: "t", partition, fromOffset, untilOffset };
};
const task = (of: OffsetRange, parts = [of]) => ({ range: of, end: undefined, parts, skip: new Set<bigint>() });

describe("tasks are shared among threads", () => {
  test("so that each partition stays where it was", () => {
    const lastOf = new Map<string, number>();
    const tasks = [0, 1, 2, 3].map((partition) => task(range(partition)));
    for (let batch = 0; batch < 3; batch++) {
      const shares = new TaskShares(tasks, 2, lastOf);
      const order = [0, 1, 0, 1].map((thread) => shares.nextOf(thread));
      expect(order).toEqual([0, 1, 2, 3]);
    }
  });

  test("so that the earliest one that is not done always runs when all others wait for it", () => {
    const { seed, random } = seedOf("shares");
    for (let round = 0; round < 500; round++) {
      const threads = 1 + numberBelow(random, 4);
      const tasks = Array.from({ length: numberBelow(random, 12) }, (_, partition) => task(range(partition)));
      const lastOf = new Map(
        tasks.map(({ range: { partition } }) => [`t\0${partition}`, numberBelow(random, threads)]),
      );
      const shares = new TaskShares(tasks, threads, lastOf);
      const running: (number | undefined)[] = new Array(threads).fill(undefined);
      let done = 0;
      // Threads ask in any order; only the task whose turn it is can end, as if no other could hold its rows.
      while (done < tasks.length) {
        const order = running.map((_, thread) => ({ thread, by: random() })).sort((a, b) => a.by - b.by);
        for (const { thread } of order) running[thread] ??= shares.nextOf(thread);
        const ends = running.indexOf(done);
        if (ends === -1) throw new Error(`nobody runs task ${done} (TEST_SEED=${seed})`);
        running[ends] = undefined;
        done++;
      }
    }
  });

  test("in pieces that together are the whole, when order does not matter", () => {
    const whole = [
      task(range(0, 5n, 100_005n), [range(0, 5n, 40_000n), range(0, 50_000n, 100_005n)]),
      task(range(1, 0n, 10n)),
    ];
    const pieces = splitTasks(whole, 2);
    expect(pieces).toHaveLength(9);
    const sum = (ranges: readonly OffsetRange[]) => ranges.reduce((all, r) => all + r.untilOffset - r.fromOffset, 0n);
    expect(sum(pieces.map((piece) => piece.range))).toBe(100_010n);
    expect(sum(pieces.flatMap((piece) => piece.parts))).toBe(90_010n);
    for (const { range: of, parts } of pieces) {
      expect(parts.every((part) => part.fromOffset >= of.fromOffset && part.untilOffset <= of.untilOffset)).toBe(true);
    }
    const ends = pieces.slice(0, -1).map((piece) => piece.range.untilOffset);
    expect(pieces.slice(1, -1).map((piece) => piece.range.fromOffset)).toEqual(ends.slice(0, -1));
  });
});

describe("rows of tasks that run side by side are written", () => {
  async function written(inAnyOrder: boolean): Promise<string[]> {
    const turns = new RowsInTurn(3, { inAnyOrder });
    const names: string[] = [];
    const writing = turns.writeAll(async ({ sent }) => void names.push(String(sent.encoded[0]?.data)), signal);
    const add = (of: number, name: string) => {
      turns.add({ task: of, sent: { encoded: [{ rowCount: 1, data: name }], sizeBytes: 1 }, written: () => {} });
    };
    add(2, "2a");
    add(1, "1a");
    await Promise.resolve();
    add(0, "0a");
    turns.end(2);
    add(1, "1b");
    turns.end(1);
    add(0, "0b");
    turns.end(0);
    await writing;
    return names;
  }
  const { signal } = new AbortController();

  test("task after task", async () => {
    expect(await written(false)).toEqual(["0a", "0b", "1a", "1b", "2a"]);
  });

  test("as they come, where that is allowed", async () => {
    expect(await written(true)).toEqual(["2a", "1a", "0a", "1b", "0b"]);
  });

  test("until the attempt is given up", async () => {
    const { signal: aborted } = { signal: AbortSignal.abort(new Error("given up")) };
    await expect(new RowsInTurn(1, { inAnyOrder: false }).writeAll(async () => {}, aborted)).rejects.toThrow(
      "given up",
    );
  });

  test("and can be traced to their task by their number", () => {
    const [a, b] = [range(0), range(1)];
    const origins = new RowOrigins();
    for (const [of, rows] of [
      [a, 3],
      [b, 2],
      [a, 4],
      [a, 1],
    ] as const)
      origins.add(of, rows);
    const found = [1, 3, 4, 6, 10, 11].map((row) => origins.originOf(row));
    expect(found).toEqual([
      { range: a, rowNumber: 1 },
      { range: a, rowNumber: 3 },
      { range: b, rowNumber: 1 },
      { range: a, rowNumber: 4 },
      { range: a, rowNumber: 8 },
      undefined,
    ]);
  });
});

describe("between threads", () => {
  const { signal } = new AbortController();
  const plainJob = { name: "plain", source: memorySource({ records: [1] }), sink: memorySink() };

  test("errors keep class, message, code, hint, place and cause", () => {
    const details = { code: "X", hint: "type this", cause: new RangeError("deep", { cause: new Error("deeper") }) };
    const errors = [
      new ConfigError("m", details),
      new TransientError("m", details),
      new OutcomeUnknownError("m", details),
      new FencedError("m", details),
      new CheckpointCorruptError("m", details),
      new PipelineError("m", { ...details, rowNumber: 7 }),
      new PoisonRecordError({ topic: "t", partition: 1, offset: 2n ** 60n }, "m", details),
      new DataLossError("m", [range(3)], details),
      new DataLossError("m", [], details),
    ];
    for (const error of errors) {
      const made = fromPortable(structuredClone(toPortable(error)));
      expect(made.constructor).toBe(error.constructor);
      const { message, stack } = error;
      const cause = { name: "RangeError", message: "deep", cause: { message: "deeper" } };
      expect(made).toMatchObject({ ...error, message, stack, cause });
    }
  });

  test("a source's record arrives whole, and is refused inside of a row, where it would lose its headers", async () => {
    const options = { topic: "t", partition: 1, value: json(), tombstones: false, skip: new Set<bigint>() };
    const decoder = new RecordDecoder(options);
    decoder.add(Buffer.from("[1]"), 7, -1, 0, 3);
    const record = (await decoder.take()).records[0];
    const whole = { topic: "t", partition: 1, offset: 7n, timestamp: -1, key: null, value: [1], headers: [] };
    expect(structuredClone(asSent(record))).toEqual(whole);
    for (const row of [[record], { record }, { deep: [{ record }] }, new Map([["a", record]]), new Set([record])]) {
      expect(() => asSent(row)).toThrow("it holds a source's record: take from it what is needed");
    }
  });

  test("rows are plain data through and through", () => {
    class Money {}
    const plain: Record<string, unknown> = {
      at: new Date(1),
      bytes: Uint8Array.of(1),
      map: new Map([[1, [{ a: 2n }]]]),
    };
    plain["self"] = plain;
    expect(structuredClone(asSent(plain))).toEqual(plain);
    expect(() => asSent(new Money())).toThrow("it is an instance of Money");
    expect(() => asSent({ prices: [new Money()] })).toThrow("it holds an instance of Money");
    expect(() => asSent({ get: () => 1 })).toThrow("it holds a function");
  });

  test("a task without rows that takes long says so once a second, however few chunks that is", async () => {
    let nowMs = 0;
    const sent: FromThread[] = [];
    const job = defineJob({ ...plainJob, pipeline: (records$) => records$ }).definition;
    const order = { id: 1, batchId: 0, term: 1, range: range(0), end: undefined, parts: [], skip: [], creditBytes: 1 };
    const clock = { ...systemClock, elapsed: () => nowMs };
    const rows = new OutgoingRows(job, order, (message) => void sent.push(message), signal, clock);
    for (const [at, offset] of [
      [400, 1n],
      [1_000, 2n],
      [1_900, 3n],
      [300_000, 4n],
    ] as const) {
      nowMs = at;
      await rows.flush(offset);
    }
    expect(sent).toMatchObject([
      { is: "progress", offset: 2n },
      { is: "progress", offset: 4n },
    ]);
  });

  test("bytes are handed over, but for what lies in a pool that others use", () => {
    const own = new Uint8Array(100_000);
    const { sizeBytes, buffers } = handedOver({
      rowCount: 1,
      data: [{ name: "a", bytes: own, places: Int32Array.of(1, 2) }, { bytes: Buffer.from("pooled") }],
    });
    expect(sizeBytes).toBe(100_014);
    expect(buffers).toHaveLength(2);
    expect(buffers).toContain(own.buffer);
  });
});
