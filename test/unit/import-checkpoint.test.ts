// Moving in: a new job starts exactly where another program stopped, an import that is broken off anywhere is of no
// use to anybody until it is made again, and what cannot be gone on from is refused before anything is written.
import { map, type Observable } from "rxjs";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import {
  batches,
  type CheckpointStore,
  copyCheckpoint,
  DataLossError,
  defineJob,
  doctor,
  importCheckpoint,
  type JobEvent,
  type LogWriter,
  type OffsetRange,
  runJob,
  type SavedPositions,
  type SavedPositionsPlace,
  TransientError,
} from "../../runtime/index.ts";

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
const at = (partition: number, offset: bigint, topic = "memory") => ({ topic, partition, offset });
const range = (partition: number, fromOffset: bigint, untilOffset: bigint): OffsetRange => {
  return { topic: "memory", partition, fromOffset, untilOffset };
};

function place(saved: Partial<SavedPositions>): SavedPositionsPlace {
  const nothing = { positions: [], nextBatchId: 0, inFlight: undefined, notes: [] };
  return { url: "elsewhere:", read: async () => ({ ...nothing, ...saved }) };
}

/** A job over partition 0 with the numbers 0 to 9, and partition 1 with 100 to 104. */
function numbersJob(checkpoint: CheckpointStore, options: { failOnDataLoss?: boolean } = {}) {
  const sink = memorySink<number>();
  const job = defineJob({
    ...({ name: "numbers", checkpoint, sink, trigger: "available-now" } as const),
    source: memorySource({ partitions: [numbers(0, 10), numbers(100, 5)], startingOffsets: "latest", ...options }),
    pipeline: (records$: Observable<{ value: number }>) => records$.pipe(map(({ value }) => value)),
  });
  return { job, sink };
}

describe("a new job", () => {
  test("starts at the positions that were saved", async () => {
    const { job, sink } = numbersJob(memoryStore());
    const result = await importCheckpoint(job, {
      from: place({ positions: [at(1, 3n), at(0, 8n)], notes: ["by hand"] }),
      execute: true,
    });
    expect(result).toEqual({
      ...{ executed: true, from: "elsewhere:", to: "memory:", nextBatchId: 0, firstBatch: [], notes: ["by hand"] },
      positions: [
        { ...at(0, 8n), earliest: 0n, latest: 10n, lag: 2n },
        { ...at(1, 3n), earliest: 0n, latest: 5n, lag: 2n },
      ],
    });
    const begun: unknown[] = [];
    const onEvent = (event: JobEvent) => event.type === "started" && begun.push(event.isNew);
    expect(await runJob(job, { onEvent })).toMatchObject({ batches: 1, rows: 4 });
    expect(begun).toEqual([false]);
    expect(sink.rows).toEqual([8, 9, 103, 104]);
    expect(await batches(job)).toMatchObject([{ batchId: 0, positionsBefore: [at(0, 8n), at(1, 3n)] }]);
  });

  test("runs a batch that was in flight first, over the very same ranges and under its number", async () => {
    const { job, sink } = numbersJob(memoryStore());
    const inFlight = [range(0, 4n, 6n), range(1, 3n, 3n)];
    const saved = { positions: [at(0, 4n), at(1, 3n)], inFlight, nextBatchId: 17 };
    const result = await importCheckpoint(job, { from: place(saved), execute: true });
    expect(result).toMatchObject({ nextBatchId: 17, firstBatch: [range(0, 4n, 6n)] });
    expect(await runJob(job)).toMatchObject({ batches: 2 });
    expect(sink.rows).toEqual([4, 5, 6, 7, 8, 9, 103, 104]);
    const history = await batches(job);
    expect(history.map(({ batchId, ranges }) => [batchId, ranges])).toEqual([
      [18, [range(0, 6n, 10n), range(1, 3n, 5n)]],
      [17, [range(0, 4n, 6n)]],
    ]);
  });

  test("reads a partition that nothing was saved for from its earliest offset, and says so", async () => {
    const { job, sink } = numbersJob(memoryStore());
    const { notes } = await importCheckpoint(job, { from: place({ positions: [at(0, 8n)] }), execute: true });
    expect(notes).toEqual(["nothing is saved for memory:1: read from the earliest offset"]);
    await runJob(job);
    expect(sink.rows).toEqual([8, 9, 100, 101, 102, 103, 104]);
  });

  test("takes only its own topics when the job is known, and all when only its name is", async () => {
    const store = memoryStore();
    const { job, sink } = numbersJob(store);
    const from = place({ positions: [at(0, 8n), at(1, 5n), at(0, 77n, "another")] });
    const { notes } = await importCheckpoint(job, { from, execute: true });
    expect(notes).toEqual(["left out, for the job does not read it: another"]);
    await runJob(job);
    expect(sink.rows).toEqual([8, 9]);
    const named = await importCheckpoint("numbers", { from, to: memoryStore(), execute: true });
    expect(named.positions.map(({ topic, offset }) => [topic, offset])).toEqual([
      ["another", 77n],
      ["memory", 8n],
      ["memory", 5n],
    ]);
    expect(named.notes).toEqual([expect.stringMatching(/2 topics.*give the job's file/)]);
  });

  test("goes on after its checkpoint has been copied, with what was in flight", async () => {
    const [first, second] = [memoryStore(), Object.assign(memoryStore(), { url: "memory:second" })];
    const saved = { positions: [at(0, 4n), at(1, 3n)], inFlight: [range(0, 4n, 6n)], nextBatchId: 17 };
    await importCheckpoint(numbersJob(first).job, { from: place(saved), execute: true });
    await copyCheckpoint({ jobName: "numbers", from: first, to: second });
    const { job, sink } = numbersJob(second);
    await runJob(job);
    expect(sink.rows).toEqual([4, 5, 6, 7, 8, 9, 103, 104]);
    expect((await batches(job)).map(({ batchId }) => batchId)).toEqual([18, 17]);
  });
});

test("a dry run shows everything and writes nothing", async () => {
  const store = memoryStore();
  const { job, sink } = numbersJob(store);
  const result = await importCheckpoint(job, { from: place({ positions: [at(0, 8n)] }), execute: false });
  expect(result).toMatchObject({ executed: false, positions: [{ offset: 8n, lag: 2n }] });
  expect(await store.jobs(new AbortController().signal)).toEqual([]);
  await runJob(job);
  expect(sink.rows).toEqual([]);
});

describe("refused, and nothing is written", () => {
  const cases: readonly [name: string, saved: Partial<SavedPositions>, reason: RegExp][] = [
    ["nothing is saved", {}, /no positions are saved/],
    ["one partition twice", { positions: [at(0, 1n), at(0, 2n)] }, /memory:0 is saved twice, at 1 and 2/],
    ["a negative offset", { positions: [at(0, -1n)] }, /no offset/],
    ["an offset beyond Kafka's", { positions: [at(0, 2n ** 63n)] }, /no offset/],
    ["a partition that is none", { positions: [at(0.5, 1n)] }, /is none/],
    ["no topic", { positions: [at(0, 1n, "")] }, /without its topic/],
    ["other topics", { positions: [at(0, 1n, "a"), at(0, 1n, "b")] }, /is of a, b, but the job reads memory/],
    ["a batch number that is none", { positions: [at(0, 1n)], nextBatchId: -1 }, /no batch number/],
    [
      "a batch in flight that begins elsewhere",
      { positions: [at(0, 1n)], inFlight: [range(0, 2n, 3n)] },
      /cannot be memory:0:2-3: the position there is 1/,
    ],
    ["a position before the log's end", { positions: [at(0, 11n)] }, /memory:0: the log ends at 10 now/],
    ["a batch in flight beyond it", { positions: [at(0, 1n)], inFlight: [range(0, 1n, 12n)] }, /log ends at 10 now/],
    ["a partition that is gone", { positions: [at(0, 1n), at(5, 3n)] }, /memory:5: the log ends at 0 now/],
  ];
  test.each(cases)("%s", async (_, saved, reason) => {
    const store = memoryStore();
    for (const execute of [false, true]) {
      await expect(importCheckpoint(numbersJob(store).job, { from: place(saved), execute })).rejects.toThrow(reason);
    }
    expect(await store.jobs(new AbortController().signal)).toEqual([]);
  });

  test("a job that has run there already", async () => {
    const { job } = numbersJob(memoryStore());
    await runJob(job);
    const again = importCheckpoint(job, { from: place({ positions: [at(0, 1n)] }), execute: false });
    await expect(again).rejects.toThrow(/already has a checkpoint of "numbers"/);
    await expect(again).rejects.toMatchObject({ hint: expect.stringContaining("runtime reset job.ts") });
  });
});

test("what the log has lost is left out where the source says so, and told", async () => {
  const { job, sink } = numbersJob(memoryStore(), { failOnDataLoss: false });
  const from = place({ positions: [at(0, 9n), at(1, 4n)], inFlight: [range(0, 9n, 12n)], nextBatchId: 2 });
  const { notes } = await importCheckpoint(job, { from, execute: true });
  expect(notes).toEqual(["not in the log any more: memory:0: the log ends at 10 now"]);
  await runJob(job);
  expect(sink.rows).toEqual([9, 104]);
  const strict = numbersJob(memoryStore()).job;
  await expect(importCheckpoint(strict, { from, execute: true })).rejects.toBeInstanceOf(DataLossError);
});

/** A store whose appends fail after so many have been done. */
function failingAfter(store: CheckpointStore, appends: number): CheckpointStore {
  let left = appends;
  return Object.assign(Object.create(store) as CheckpointStore, {
    async takeOver(...args: Parameters<CheckpointStore["takeOver"]>): Promise<LogWriter> {
      const writer = await store.takeOver(...args);
      return Object.assign(Object.create(writer) as LogWriter, {
        append: async (...entry: Parameters<LogWriter["append"]>) => {
          if (left-- <= 0) throw new TransientError("the server is away");
          return await writer.append(...entry);
        },
        prune: async () => undefined,
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      });
    },
    bounds: (...args: Parameters<CheckpointStore["bounds"]>) => store.bounds(...args),
    read: (...args: Parameters<CheckpointStore["read"]>) => store.read(...args),
  });
}

test.each([0, 1, 2])(
  "broken off after %i entries, it is refused to runs, and made anew by the same command",
  async (n) => {
    const store = memoryStore();
    const { job, sink } = numbersJob(store);
    const saved = { positions: [at(0, 4n), at(1, 3n)], inFlight: [range(0, 4n, 6n)], nextBatchId: 17 };
    const broken = importCheckpoint(job, { from: place(saved), to: failingAfter(store, n), execute: true });
    await expect(broken).rejects.toThrow("the server is away");
    await expect(runJob(job)).rejects.toThrow(/an import that was broken off/);
    const elsewhere = Object.assign(memoryStore(), { url: "memory:elsewhere" });
    await expect(copyCheckpoint({ jobName: "numbers", from: store, to: elsewhere })).rejects.toThrow(/broken off/);
    const findings = (await doctor(job)).filter(({ status }) => status === "problem");
    expect(findings).toMatchObject([{ hint: "type the same runtime checkpoint import again" }]);
    expect(sink.rows).toEqual([]);
    // What was saved has moved on since: only what is read now counts.
    const moved = { positions: [at(0, 6n), at(1, 3n)], inFlight: [range(1, 3n, 4n)], nextBatchId: 18 };
    await importCheckpoint(job, { from: place(moved), execute: true });
    await runJob(job);
    expect(sink.rows).toEqual([103, 6, 7, 8, 9, 104]);
    expect((await batches(job)).map(({ batchId }) => batchId)).toEqual([19, 18]);
  },
);

test("of several imports at once exactly one is done, and it is the one that counts", async () => {
  for (let round = 0; round < 20; round++) {
    const store = memoryStore();
    const starts = [2n, 5n, 8n];
    const outcomes = await Promise.allSettled(
      starts.map(async (offset, index) => {
        const from = place({ positions: [at(0, offset), at(1, 5n)] });
        for (let turn = 0; turn < (round * (index + 1)) % 7; turn++) await Promise.resolve();
        return await importCheckpoint(numbersJob(store).job, { from, execute: true });
      }),
    );
    const done = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    expect(done, `round ${round}`).toHaveLength(1);
    const { job, sink } = numbersJob(store);
    await runJob(job);
    expect(sink.rows).toEqual(numbers(0, 10).slice(Number(done[0]?.positions[0]?.offset)));
  }
});

test("a run that begins at the same time starts where the import says, or as if there were none", async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 40; round++) {
    const store = memoryStore();
    const from = place({ positions: [at(0, 8n), at(1, 5n)] });
    const importing = importCheckpoint(numbersJob(store).job, { from, execute: true });
    for (let turn = 0; turn < round; turn++) await Promise.resolve();
    const [imported, run] = await Promise.allSettled([importing, runJob(numbersJob(store).job)]);
    seen.add(`${imported.status} ${run.status}`);
    // Each may shut the other out, and then the import is made again.
    const isBrokenOff = imported.status === "rejected" && run.status === "rejected";
    if (isBrokenOff) await importCheckpoint(numbersJob(store).job, { from, execute: true });
    const { job } = numbersJob(store);
    await runJob(job);
    const first = (await batches(job)).at(-1)?.ranges.find(({ partition }) => partition === 0);
    // A run of its own begins at the end of the log.
    expect(first?.fromOffset, `round ${round}`).toBe(imported.status === "fulfilled" || isBrokenOff ? 8n : 10n);
  }
  expect(seen.size).toBeGreaterThan(1);
});
