// When positions are committed: with every batch, at intervals, or when the job's own sink function says so.
import { map, type Observable } from "rxjs";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import {
  batches,
  type CheckpointStore,
  type CommitMode,
  ConfigError,
  copyCheckpoint,
  type DeadLetter,
  deadLetter,
  defineJob,
  doctor,
  type FunctionBatch,
  type JobEvent,
  type JobOptions,
  type LogWriter,
  offsets,
  PipelineError,
  replayJob,
  resetJob,
  runJob,
  type Sink,
  TransientError,
} from "../../runtime/index.ts";
import type { EntryBody } from "../../runtime/journal/entry.ts";
import { readEntries } from "../../runtime/journal/journal.ts";

const signal = new AbortController().signal;
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);
const auto = (autoCommitIntervalMs: number): CommitMode => ({ autoCommitIntervalMs });
const ONE_HOUR_MS = 3_600_000;

interface Parts extends Partial<JobOptions> {
  readonly commit: CommitMode;
  readonly source?: ReturnType<typeof memorySource<number>>;
  readonly sink?: Sink<number> | ((rows: readonly number[], batch: FunctionBatch) => Promise<void> | void);
  readonly checkpoint?: CheckpointStore;
}

/** A job that copies numbers, three a batch. */
function copyJob({ source = memorySource({ records: numbers(9) }), sink = memorySink<number>(), ...options }: Parts) {
  const pipeline = (records$: Observable<{ value: number }>) => records$.pipe(map(({ value }) => value));
  const name = "copy";
  return defineJob({ name, trigger: "available-now", maxOffsetsPerBatch: 3, source, pipeline, sink, ...options });
}

async function logOf(store: CheckpointStore): Promise<EntryBody[]> {
  const bodies: EntryBody[] = [];
  for await (const { body } of readEntries(store, "copy", 0n, signal)) bodies.push(body);
  return bodies;
}

async function kindsOf(store: CheckpointStore): Promise<string> {
  return (await logOf(store))
    .map((body) => (body.kind === "commit" ? `commit ${body.firstBatchId}-${body.batchId}` : body.kind))
    .join(", ");
}

async function committedIn(store: CheckpointStore): Promise<bigint | undefined> {
  const last = (await logOf(store)).findLast((body) => "positions" in body);
  return last !== undefined && "positions" in last ? last.positions[0]?.offset : undefined;
}

/** A store whose writers' appends go through `append`. */
function storeWith(
  append: (original: LogWriter["append"], ...args: Parameters<LogWriter["append"]>) => ReturnType<LogWriter["append"]>,
) {
  const store = memoryStore();
  const { takeOver } = store;
  store.takeOver = async (...args) => {
    const writer = await takeOver.apply(store, args);
    const original = writer.append.bind(writer);
    writer.append = (...given) => append(original, ...given);
    return writer;
  };
  return store;
}

describe("commit: { autoCommitIntervalMs }", () => {
  test("commits once for all batches of the interval, on stop, and records no plans", async () => {
    const checkpoint = memoryStore();
    const sink = memorySink<number>();
    const job = copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, sink });
    expect(await runJob(job)).toMatchObject({ batches: 3, rows: 9 });
    expect(sink.rows).toEqual(numbers(9));
    expect(await kindsOf(checkpoint)).toBe("begin, reset, commit 0-2");
    expect(await runJob(job)).toMatchObject({ batches: 0 });
    const [committed] = await batches(job);
    expect(committed).toMatchObject({ firstBatchId: 0, batchId: 2, state: "completed", plannedAtMs: undefined });
    expect(committed?.counts).toMatchObject({ records: 9, rows: 9 });
    expect(committed?.ranges).toEqual([{ topic: "memory", partition: 0, fromOffset: 0n, untilOffset: 9n }]);
  });

  test("commits at most that often while it runs, and the rest when the interval is over, data or not", async () => {
    const source = memorySource({ records: numbers(3) });
    const checkpoint = memoryStore();
    const job = copyJob({ commit: auto(60), checkpoint, source, trigger: "continuous" });
    const stop = new AbortController();
    const committedMs: number[] = [];
    let batchesDone = 0;
    const onEvent = (event: JobEvent) => {
      if (event.type === "completed" && ++batchesDone < 40) source.append(numbers(3));
      if (event.type === "committed") committedMs.push(performance.now());
      if (event.type === "committed" && event.batchId === 39) stop.abort();
    };
    const beganMs = performance.now();
    await runJob(job, { onEvent, signal: stop.signal });
    const pauses = committedMs.map((at, index) => at - (committedMs[index - 1] ?? beganMs));
    expect(Math.min(...pauses)).toBeGreaterThan(55);
    expect(committedMs.length).toBeLessThan(40);
    expect(await committedIn(checkpoint)).toBe(120n);
  });

  test("commits what was done before the batch that fails", async () => {
    const checkpoint = memoryStore();
    const sink = (rows: readonly number[]) => {
      if (rows.includes(7)) throw new Error("no seven");
    };
    await expect(runJob(copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, sink }))).rejects.toThrow(PipelineError);
    expect(await committedIn(checkpoint)).toBe(6n);
  });

  test("what was not committed runs again: at-least-once, also on an exactly-once sink", async () => {
    const sink = memorySink<number>();
    const checkpoint = storeWith((append, seq, ...rest) => {
      if (seq >= 2n) throw new ConfigError("the store is full");
      return append(seq, ...rest);
    });
    await expect(runJob(copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, sink }))).rejects.toThrow("the store is full");
    expect(sink.rows).toEqual(numbers(9));
    await expect(runJob(copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, sink }))).rejects.toThrow("the store is full");
    expect(sink.rows).toEqual([...numbers(9), ...numbers(9)]);
  });

  test('"latest" is a number in the log before anything is read', async () => {
    const source = memorySource({ records: numbers(9), startingOffsets: "latest" });
    const checkpoint = memoryStore();
    const failing = copyJob({
      commit: auto(ONE_HOUR_MS),
      checkpoint,
      source,
      sink: () => Promise.reject(new Error("no")),
    });
    await runJob(failing);
    source.append(numbers(3, 9));
    await expect(runJob(failing)).rejects.toThrow(PipelineError);
    const sink = memorySink<number>();
    await runJob(copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, source, sink }));
    expect(sink.rows).toEqual(numbers(3, 9));
  });

  test("poison records are counted and named, and dead letters are sent", async () => {
    const checkpoint = memoryStore();
    const letters = memorySink<DeadLetter>();
    const pipeline = (records$: Observable<{ value: number }>) =>
      records$.pipe(
        map(({ value }) => {
          if (value % 4 === 1) throw new Error(`${value} is bad`);
          return value;
        }),
      );
    const sink = memorySink<number>();
    const source = memorySource({ records: numbers(9) });
    const given = { name: "copy", trigger: "available-now", maxOffsetsPerBatch: 3, checkpoint } as const;
    const onPoisonRecord = deadLetter(letters);
    await runJob(defineJob({ ...given, source, pipeline, sink, commit: auto(ONE_HOUR_MS), onPoisonRecord }));
    expect(sink.rows).toEqual([0, 2, 3, 4, 6, 7, 8]);
    expect(letters.rows.map(({ offset }) => offset)).toEqual(["1", "5"]);
    const [committed] = await batches(copyJob({ commit: auto(1), checkpoint }));
    expect(committed?.counts?.poison).toBe(2);
    expect(committed?.poison.map(({ offset }) => offset)).toEqual([1n, 5n]);
  });

  test("a sink that takes such a batch for written is refused, or rows would be lost", async () => {
    const sink: Sink<number> = {
      ...memorySink<number>(),
      open: async () => ({ begin: async () => "already-written", [Symbol.asyncDispose]: async () => {} }),
    };
    await expect(runJob(copyJob({ commit: auto(1), checkpoint: memoryStore(), sink }))).rejects.toThrow(ConfigError);
  });
});

describe('commit: "manual"', () => {
  test("commitSync resolves when the positions behind its batch are durable", async () => {
    const checkpoint = memoryStore();
    const seen: (bigint | undefined)[] = [];
    const sink = async (_: readonly number[], batch: FunctionBatch) => {
      seen.push(await committedIn(checkpoint));
      await batch.commitSync();
      seen.push(await committedIn(checkpoint));
    };
    await runJob(copyJob({ commit: "manual", checkpoint, sink }));
    expect(seen).toEqual([0n, 3n, 3n, 6n, 6n, 9n]);
  });

  test("nothing is committed that the sink does not commit: the next run reads it again", async () => {
    const checkpoint = memoryStore();
    const got: number[][] = [];
    const sink = async (rows: readonly number[], batch: FunctionBatch) => {
      got.push([...rows]);
      if (batch.batchId === 1) await batch.commitSync();
    };
    const job = copyJob({ commit: "manual", checkpoint, sink });
    await runJob(job);
    await runJob(job);
    expect(got).toEqual([numbers(3), numbers(3, 3), numbers(3, 6), numbers(3, 6)]);
    expect(await kindsOf(checkpoint)).toBe("begin, reset, commit 0-1, begin");
  });

  test("commitSync rejects with the cause", async () => {
    const checkpoint = storeWith((append, seq, ...rest) => {
      if (seq >= 2n) throw new ConfigError("the store is full");
      return append(seq, ...rest);
    });
    let failure: unknown;
    const sink = async (_: readonly number[], batch: FunctionBatch) => {
      failure = await batch.commitSync().catch((error: unknown) => error);
    };
    // What the function makes of it is its own affair, but the run does not go on with a log it does not know.
    await expect(runJob(copyJob({ commit: "manual", checkpoint, sink }))).rejects.toThrow("the store is full");
    expect(failure).toMatchObject({ message: "the store is full" });
  });

  test("commitAsync holds no batch up; of those that wait the last one stands for all, told in order", async () => {
    const opened = Promise.withResolvers<void>();
    const checkpoint = storeWith(async (append, seq, ...rest) => {
      if (seq === 2n) await opened.promise;
      return append(seq, ...rest);
    });
    const told: string[] = [];
    const sink = (_: readonly number[], batch: FunctionBatch) => {
      batch.commitAsync((failure) => told.push(`${batch.batchId} ${failure}`));
      if (batch.batchId === 2) opened.resolve();
    };
    await runJob(copyJob({ commit: "manual", checkpoint, sink }));
    expect(told).toEqual(["0 undefined", "1 undefined", "2 undefined"]);
    expect(await kindsOf(checkpoint)).toBe("begin, reset, commit 0-0, commit 1-2");
  });

  test("a commit covers no batch that is not done, however long it had to wait", async () => {
    const opened = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    const checkpoint = storeWith(async (append, seq, ...rest) => {
      if (seq === 2n) await opened.promise;
      return append(seq, ...rest);
    });
    const sink = async (_: readonly number[], batch: FunctionBatch) => {
      if (batch.batchId < 2) return batch.commitAsync(batch.batchId === 1 ? () => second.resolve() : undefined);
      opened.resolve();
      await second.promise;
      expect(await committedIn(checkpoint)).toBe(6n);
    };
    await runJob(copyJob({ commit: "manual", checkpoint, sink }));
    expect(await kindsOf(checkpoint)).toBe("begin, reset, commit 0-0, commit 1-1");
  });

  test("a commitAsync that fails is told to every listener that waited for it, and the run is waited for", async () => {
    const checkpoint = storeWith((append, seq, ...rest) => {
      if (seq >= 2n) throw new ConfigError("the store is full");
      return append(seq, ...rest);
    });
    const told: unknown[] = [];
    const sink = (_: readonly number[], batch: FunctionBatch) => {
      batch.commitAsync((failure) => told.push(failure));
      batch.commitAsync((failure) => told.push(failure));
    };
    const job = copyJob({ commit: "manual", checkpoint, sink, maxOffsetsPerBatch: 9 });
    await expect(runJob(job)).rejects.toThrow("the store is full");
    expect(told).toEqual([expect.any(ConfigError), expect.any(ConfigError)]);
  });

  test("what is being committed when the run stops is waited for", async () => {
    const checkpoint = storeWith(async (append, ...args) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return append(...args);
    });
    const sink = (_: readonly number[], batch: FunctionBatch) => batch.commitAsync();
    await runJob(copyJob({ commit: "manual", checkpoint, sink }));
    expect(await committedIn(checkpoint)).toBe(9n);
  });

  test("an older batch may be committed later, and a commit never moves a position back", async () => {
    const checkpoint = memoryStore();
    const given: FunctionBatch[] = [];
    const seen: (bigint | undefined)[] = [];
    const sink = async (_: readonly number[], batch: FunctionBatch) => {
      given.push(batch);
      if (batch.batchId !== 2) return;
      for (const older of [given[0], given[1], given[0]]) {
        await older?.commitSync();
        seen.push(await committedIn(checkpoint));
      }
    };
    await runJob(copyJob({ commit: "manual", checkpoint, sink }));
    expect(seen).toEqual([3n, 6n, 6n]);
    await expect(given[2]?.commitSync()).rejects.toThrow(TransientError);
  });

  test.each([["batch" as const], [auto(ONE_HOUR_MS)]])(
    "with commit: %j, batch.commitSync says what to set",
    async (commit) => {
      const sink = async (_: readonly number[], batch: FunctionBatch) => await batch.commitSync();
      const run = runJob(copyJob({ commit, checkpoint: memoryStore(), sink }));
      await expect(run).rejects.toMatchObject({ code: "CONFIG", hint: expect.stringContaining('commit: "manual"') });
      const async = (_: readonly number[], batch: FunctionBatch) => batch.commitAsync();
      await expect(runJob(copyJob({ commit, checkpoint: memoryStore(), sink: async }))).rejects.toThrow(ConfigError);
    },
  );
});

describe("from one mode to another", () => {
  test("a batch that was planned is finished first, over the same ranges and once", async () => {
    let appends = 0;
    const checkpoint = storeWith((append, ...args) => {
      // The rows are written, the completion is not recorded.
      if (++appends === 2) throw new ConfigError("the store is full");
      return append(...args);
    });
    const sink = memorySink<number>();
    const source = memorySource({ records: numbers(4) });
    const given = { checkpoint, sink, source, maxOffsetsPerBatch: 10 };
    await expect(runJob(copyJob({ ...given, commit: "batch" }))).rejects.toThrow("the store is full");
    source.append(numbers(5, 4));
    expect(await runJob(copyJob({ ...given, commit: auto(1) }))).toMatchObject({ alreadyWritten: 1, batches: 2 });
    source.append(numbers(2, 9));
    await runJob(copyJob({ ...given, commit: "batch" }));
    expect(sink.rows).toEqual(numbers(11));
    expect(await kindsOf(checkpoint)).toBe("begin, plan, begin, complete, commit 1-1, begin, plan, complete");
  });

  test("a batch that was planned may be committed by the function sink that finishes it", async () => {
    const checkpoint = memoryStore();
    const source = memorySource({ records: numbers(3) });
    const failing = () => Promise.reject(new Error("no"));
    await expect(runJob(copyJob({ commit: "batch", checkpoint, source, sink: failing }))).rejects.toThrow(
      PipelineError,
    );
    const told: unknown[] = [];
    const sink = async (_: readonly number[], batch: FunctionBatch) => {
      batch.commitAsync((failure) => told.push(failure));
      await batch.commitSync();
      expect(await committedIn(checkpoint)).toBe(3n);
    };
    expect(await runJob(copyJob({ commit: "manual", checkpoint, source, sink }))).toMatchObject({ batches: 1 });
    expect(told).toEqual([undefined]);
    expect(await kindsOf(checkpoint)).toBe("begin, plan, begin, complete");
  });

  test("a planned batch after some that were not is written, whatever their numbers were", async () => {
    const checkpoint = storeWith((append, seq, ...rest) => {
      if (seq === 2n) throw new ConfigError("the store is full");
      return append(seq, ...rest);
    });
    const sink = memorySink<number>();
    const source = memorySource({ records: numbers(9) });
    const unrecorded = copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, sink, source });
    await expect(runJob(unrecorded)).rejects.toThrow("the store is full");
    // Batches 0 to 2 are in the sink, and batch 0 comes again with other ranges.
    await runJob(copyJob({ commit: "batch", checkpoint, sink, source, maxOffsetsPerBatch: 5 }));
    expect(sink.rows).toEqual([...numbers(9), ...numbers(9)]);
  });
});

describe("what was committed together", () => {
  const ran = async () => {
    const checkpoint = memoryStore();
    const source = memorySource({ records: numbers(9) });
    const job = copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, source });
    await runJob(job);
    source.append(numbers(3, 9));
    await runJob(job);
    return { job, checkpoint };
  };

  test("is replayed together, by any of its batches", async () => {
    const { job } = await ran();
    const sink = memorySink<number>();
    expect(await replayJob(job, { batches: { from: 1, to: 1 }, sink: sink as Sink<never> })).toMatchObject({
      batches: 1,
    });
    expect(sink.rows).toEqual(numbers(9));
  });

  test("can be reset to before its first batch, and says so for others", async () => {
    const { job } = await ran();
    const to = (beforeBatch: number) => resetJob(job, { to: { beforeBatch }, execute: true });
    await expect(to(1)).rejects.toMatchObject({ hint: "give batch 0, or 3" });
    await to(3);
    expect((await offsets(job))[0]).toMatchObject({ committed: 9n, current: 9n, lag: 3n });
    await to(0);
    expect((await offsets(job))[0]).toMatchObject({ committed: 0n });
  });

  test("moves with the job", async () => {
    const { job, checkpoint } = await ran();
    const to = Object.assign(memoryStore(), { url: "memory:2" });
    await copyCheckpoint({ jobName: "copy", from: checkpoint, to });
    expect((await batches(job, { checkpoint: to })).map(({ batchId }) => batchId)).toEqual([3, 2]);
  });
});

test("no sink but a function can commit by itself", () => {
  const manual = () => copyJob({ commit: "manual", checkpoint: memoryStore(), sink: memorySink<number>() });
  expect(manual).toThrow(ConfigError);
  expect(manual).toThrow("the sink must be a function");
});

test("doctor says that no sink is exactly-once without recorded plans", async () => {
  const details = async (commit: CommitMode) => {
    const findings = await doctor(copyJob({ commit, checkpoint: memoryStore() }));
    return findings.find(({ check }) => check === "sink")?.detail;
  };
  expect(await details("batch")).toBe("memory: exactly-once");
  expect(await details({ autoCommitIntervalMs: 1 })).toBe('memory: at-least-once, for commit is not "batch"');
});

test("offsets shows the running job's current offset beside the committed one", async () => {
  const checkpoint = memoryStore();
  const source = memorySource({ records: numbers(9) });
  const job = copyJob({ commit: auto(ONE_HOUR_MS), checkpoint, source, trigger: "continuous" });
  const stop = new AbortController();
  const run = runJob(job, { signal: stop.signal });
  await expect
    .poll(() => offsets(job), { timeout: 10_000 })
    .toMatchObject([{ committed: 0n, current: 9n, latest: 9n, lag: 9n }]);
  stop.abort();
  await run;
  expect(await offsets(job)).toMatchObject([{ committed: 9n, current: 9n, lag: 0n }]);
});
