// The main job in one process, on the memory parts: triggers, bounds, poison records, combine, and what a run tells.
import { map, mergeMap, NEVER, type Observable, reduce, take } from "rxjs";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import type { CheckpointStore } from "../../runtime/contract/store.ts";
import {
  batches,
  ConfigError,
  DataLossError,
  type DeadLetter,
  deadLetter,
  defineJob,
  FencedError,
  type JobEvent,
  type JobOptions,
  mapAsync,
  offsets,
  PipelineError,
  runJob,
} from "../../runtime/index.ts";

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

/** A job that copies numbers, with whatever is to be tried. */
function copyJob(options: Partial<JobOptions> & { source?: ReturnType<typeof memorySource<number>> } = {}) {
  const source = options.source ?? memorySource({ records: numbers(15) });
  const sink = memorySink<number>();
  const checkpoint: CheckpointStore = (options.checkpoint as CheckpointStore | undefined) ?? memoryStore();
  const pipeline = (records$: Observable<{ value: number }>) => records$.pipe(map(({ value }) => value));
  const job = defineJob({ name: "copy", trigger: "available-now", source, pipeline, sink, ...options, checkpoint });
  return { job, sink, source };
}

async function runAndWatch(job: Parameters<typeof runJob>[0], until?: (event: JobEvent) => boolean) {
  const events: JobEvent[] = [];
  const stop = new AbortController();
  const onEvent = (event: JobEvent) => {
    events.push(event);
    if (until?.(event)) stop.abort();
  };
  const result = await runJob(job, { onEvent, signal: stop.signal });
  return { result, events };
}

test("a loss of what is no part of a batch ends the run, and is not met again and again", async () => {
  const { job } = copyJob({ source: memorySource({ records: numbers(15), failOnDataLoss: false }) });
  const lost = { topic: "other", partition: 0, fromOffset: 0n, untilOffset: 1n };
  const pipeline = (): Observable<unknown> => {
    throw new DataLossError("it is gone", [lost]);
  };
  const losing = defineJob({ ...job.definition, pipeline, combine: undefined } as never);
  await expect(runJob(losing)).rejects.toThrow("it is gone: other:0:0-1");
});

describe("triggers", () => {
  test("available-now over 15 records with limit 5 is exactly 3 batches; a second run finds nothing", async () => {
    const { job, sink } = copyJob({ maxOffsetsPerBatch: 5 });
    expect(await runJob(job)).toMatchObject({ reason: "nothing-left", batches: 3, records: 15, rows: 15 });
    expect(sink.rows).toEqual(numbers(15));
    expect(await runJob(job)).toMatchObject({ reason: "nothing-left", batches: 0 });
    expect(sink.rows).toHaveLength(15);
  });

  test("available-now pins its end at the start: what arrives meanwhile is left to the next run", async () => {
    const { job, sink, source } = copyJob({ maxOffsetsPerBatch: 5 });
    let added = false;
    await runJob(job, {
      onEvent: (event) => {
        if (event.type !== "completed" || added) return;
        added = true;
        source.append(numbers(5, 15));
        source.append([100], { partition: 1 });
      },
    });
    expect(sink.rows).toEqual(numbers(15));
    await runJob(job);
    expect(sink.rows.toSorted((a, b) => a - b)).toEqual([...numbers(20), 100]);
  });

  test("once is one batch of all there is, ignoring limits", async () => {
    const { job, sink } = copyJob({ maxOffsetsPerBatch: 5, trigger: "once" });
    expect(await runJob(job)).toMatchObject({ batches: 1, rows: 15 });
    expect(sink.batches).toHaveLength(1);
  });

  test("continuous goes on as data arrives, and stops after the batch in hand", async () => {
    const { job, sink, source } = copyJob({ trigger: "continuous" });
    const { result } = await runAndWatch(job, (event) => {
      if (event.type === "idle") source.append(numbers(5, 15));
      return sink.rows.length === 20;
    });
    expect(result.reason).toBe("stopped");
    expect(sink.rows).toEqual(numbers(20));
  });

  test("an interval plans at whole intervals", async () => {
    const { job, sink } = copyJob({ trigger: { intervalMs: 30 }, maxOffsetsPerBatch: 4 });
    const began = performance.now();
    await runAndWatch(job, () => sink.rows.length === 15);
    expect(performance.now() - began).toBeGreaterThan(85);
    expect(sink.batches.map(({ rows }) => rows.length)).toEqual([4, 4, 4, 3]);
  });

  test("N+1 that is due at once is planned in the entry that completes N", async () => {
    const store = memoryStore();
    const { job } = copyJob({ maxOffsetsPerBatch: 5, checkpoint: store });
    await runJob(job);
    const bounds = await store.bounds("copy", new AbortController().signal);
    // begin, plan 0, complete 0 + plan 1, complete 1 + plan 2, complete 2
    expect(bounds?.head).toBe(4n);
  });
});

describe("starts and ends", () => {
  test("latest is decided once: what arrives before the second run is read by it", async () => {
    const source = memorySource({ records: numbers(5), startingOffsets: "latest" });
    const { job, sink } = copyJob({ source });
    await runJob(job);
    source.append(numbers(2, 5));
    await runJob(job);
    expect(sink.rows).toEqual([5, 6]);
  });

  test.each([
    ["offsets by partition", { memory: { 0: 3n } }, [3, 4]],
    ["a time", { timestampMs: 2 }, [2, 3, 4]],
    ["earliest", "earliest", [0, 1, 2, 3, 4]],
  ] as const)("startingOffsets by %s", async (_, startingOffsets, rows) => {
    const source = memorySource({ records: numbers(5), startingOffsets, timestamp: (value) => value });
    const { job, sink } = copyJob({ source });
    await runJob(job);
    expect(sink.rows).toEqual(rows);
  });

  test.each([
    ["offsets by partition", { memory: { 0: 3 } }, 3],
    ["a time", { timestampMs: 2 }, 2],
    ["latest", "latest", 5],
  ] as const)("endingOffsets by %s end a continuous run", async (_, endingOffsets, count) => {
    const source = memorySource({ records: numbers(5), endingOffsets, timestamp: (value) => value });
    const { job, sink } = copyJob({ source, trigger: "continuous" });
    expect(await runJob(job)).toMatchObject({ reason: "end-reached" });
    expect(sink.rows).toEqual(numbers(count));
  });

  test("offsets of a partition that is not there are an error that names those that are", async () => {
    const { job } = copyJob({ source: memorySource({ records: numbers(5), startingOffsets: { memory: { 7: 3n } } }) });
    await expect(runJob(job)).rejects.toThrow(expect.objectContaining({ hint: expect.stringContaining("memory:0") }));
  });

  test("partitions that appear while running begin at their earliest, also under startingOffsets latest", async () => {
    const source = memorySource({ records: numbers(5), startingOffsets: "latest" });
    const { job, sink } = copyJob({ source, trigger: "continuous" });
    await runAndWatch(job, (event) => {
      if (event.type === "idle" && sink.rows.length === 0) source.append([70, 71], { partition: 2 });
      return sink.rows.length === 2;
    });
    expect(sink.rows).toEqual([70, 71]);
  });
});

describe("pipelines", () => {
  test("combine runs once per batch over all tasks' rows in partition order", async () => {
    const sink = memorySink<string>();
    const job = defineJob({
      name: "combined",
      source: memorySource({ partitions: [[1, 2], [3], [4, 5]] }),
      pipeline: (records$, task) => records$.pipe(map(({ value }) => `${task.partition}:${value}`)),
      combine: (rows$, batch) => rows$.pipe(reduce((all, row) => `${all} ${row}`, `batch ${batch.batchId}:`)),
      sink,
      checkpoint: memoryStore(),
      trigger: "available-now",
    });
    await runJob(job);
    expect(sink.rows).toEqual(["batch 0: 0:1 0:2 1:3 2:4 2:5"]);
  });

  test("mapAsync keeps the order, runs at most so many at a time, and holds the source back", async () => {
    const sink = memorySink<number>();
    let running = 0;
    let most = 0;
    let fed = 0;
    let furthestAhead = 0;
    let done = 0;
    const job = defineJob({
      name: "async",
      source: memorySource({ records: numbers(500) }),
      pipeline: (records$) =>
        records$.pipe(
          map(({ value }) => {
            fed++;
            furthestAhead = Math.max(furthestAhead, fed - done);
            return value;
          }),
          mapAsync({ concurrency: 8 }, async (value) => {
            most = Math.max(most, ++running);
            await new Promise((resolve) => setTimeout(resolve, value % 3));
            running--;
            done++;
            return value;
          }),
        ),
      sink,
      checkpoint: memoryStore(),
      trigger: "available-now",
    });
    await runJob(job);
    expect(sink.rows).toEqual(numbers(500));
    expect(most).toBe(8);
    expect(furthestAhead).toBeLessThanOrEqual(9);
  });

  test("a pipeline may complete early, and the batch still completes at its planned end", async () => {
    const sink = memorySink<number>();
    const early = defineJob({
      name: "early",
      source: memorySource({ records: numbers(10_000) }),
      pipeline: (records$) =>
        records$.pipe(
          take(3),
          map(({ value }) => value),
        ),
      sink,
      checkpoint: memoryStore(),
      trigger: "once",
    });
    expect(await runJob(early)).toMatchObject({ rows: 3 });
    expect(sink.rows).toEqual([0, 1, 2]);
    expect(await offsets(early)).toMatchObject([{ committed: 10_000n, lag: 0n }]);
  });

  test("a pipeline that never completes hits the deadline", async () => {
    const never = defineJob({
      name: "never",
      source: memorySource({ records: [1] }),
      pipeline: (records$) => records$.pipe(mergeMap(() => NEVER)),
      sink: memorySink(),
      checkpoint: memoryStore(),
      trigger: "available-now",
      phaseTimeoutMs: 50,
    });
    await expect(runJob(never)).rejects.toThrow(/"read and process" got no further for 50 ms/);
  });

  test("a pipeline that returns no Observable is an error with a hint", async () => {
    const job = defineJob({ ...copyJob().job.definition, pipeline: () => undefined } as never);
    await expect(runJob(job)).rejects.toThrow(expect.objectContaining({ hint: expect.stringContaining("return") }));
  });

  test("a sink function that fails fails the job, and the batch runs again", async () => {
    let fails = true;
    const seen: number[][] = [];
    const job = defineJob({
      name: "function",
      source: memorySource({ records: [1, 2] }),
      pipeline: (records$) => records$.pipe(map(({ value }) => value)),
      sink: async (rows) => {
        if (fails) throw new Error("no route");
        seen.push([...rows]);
      },
      checkpoint: memoryStore(),
      trigger: "available-now",
    });
    await expect(runJob(job)).rejects.toThrow(PipelineError);
    fails = false;
    const { events } = await runAndWatch(job);
    expect(events.map(({ type }) => type)).toContain("resuming");
    expect(seen).toEqual([[1, 2]]);
  });
});

describe("showing positions through the source", () => {
  test("the newest positions are shown after completions, and a failure is only a warning", async () => {
    const { job, source, sink } = copyJob({ maxOffsetsPerBatch: 5 });
    const shown: string[] = [];
    const open: typeof source.open = async (context, signal) => {
      const reader = await source.open(context, signal);
      return Object.assign(reader, {
        async completed(positions: readonly { offset: bigint }[]) {
          shown.push(positions.map(({ offset }) => offset).join());
          throw new Error("no such group");
        },
      });
    };
    const shown$ = defineJob({ ...job.definition, source: { ...source, open } } as never);
    const { events } = await runAndWatch(shown$);
    expect(sink.rows).toEqual(numbers(15));
    expect(shown.at(-1)).toBe("15");
    expect(events).toContainEqual({ type: "warning", message: expect.stringContaining("no such group") });
  });
});

describe("poison records", () => {
  const isBad = (value: number) => value % 10 === 7;
  function poisonJob(onPoisonRecord: JobOptions["onPoisonRecord"]) {
    const sink = memorySink<number>();
    const job = defineJob({
      name: "poison",
      source: memorySource({ partitions: [numbers(40), [5, 17, 6]] }),
      pipeline: (records$) =>
        records$.pipe(
          map(({ value }) => {
            if (isBad(value)) throw new Error(`cannot take ${value}`);
            return value;
          }),
        ),
      sink,
      checkpoint: memoryStore(),
      trigger: "available-now",
      ...(onPoisonRecord === undefined ? {} : { onPoisonRecord }),
    });
    return { job, sink };
  }
  const good = [...numbers(40).filter((value) => !isBad(value)), 5, 6];

  test("fail is the default and names the record", async () => {
    const { job, sink } = poisonJob(undefined);
    await expect(runJob(job)).rejects.toThrow("the pipeline failed at memory:0:7: cannot take 7");
    expect(sink.rows).toEqual([]);
  });

  test("skip leaves out exactly the bad ones, and the history says which", async () => {
    const { job, sink } = poisonJob("skip");
    expect(await runJob(job)).toMatchObject({ poison: 5, batches: 1 });
    expect(sink.rows).toEqual(good);
    const [batch] = await batches(job);
    expect(batch?.poison.map(({ partition, offset }) => `${partition}:${offset}`)).toEqual([
      "0:7",
      "0:17",
      "0:27",
      "0:37",
      "1:1",
    ]);
  });

  test("a dead letter has the record, where it was, and why", async () => {
    const letters = memorySink<DeadLetter>();
    const { job, sink } = poisonJob(deadLetter(letters));
    await runJob(job);
    expect(sink.rows).toEqual(good);
    expect(letters.rows).toHaveLength(5);
    expect(letters.rows[4]).toMatchObject({
      topic: "memory",
      partition: 1,
      offset: "1",
      value: "17",
      phase: "pipeline",
      error: "cannot take 17",
    });
  });

  test("a pipeline that fails on no record alone fails the job", async () => {
    const job = defineJob({
      name: "together",
      source: memorySource({ records: numbers(8) }),
      pipeline: (records$) =>
        records$.pipe(
          reduce((sum, { value }) => sum + value, 0),
          map((sum) => {
            if (sum > 20) throw new Error("too much");
            return sum;
          }),
        ),
      sink: memorySink(),
      checkpoint: memoryStore(),
      trigger: "available-now",
      onPoisonRecord: "skip",
    });
    await expect(runJob(job)).rejects.toThrow(/on no record alone/);
  });
});

describe("a run that waits", () => {
  test("notices within seconds that another run has taken over", async () => {
    const store = memoryStore();
    const { job } = copyJob({ trigger: "continuous", checkpoint: store });
    const stop = new AbortController();
    let second: Promise<unknown> | undefined;
    const first = runJob(job, {
      onEvent: ({ type }) => {
        if (type === "idle") second ??= runJob(job, { takeOver: true, signal: stop.signal });
      },
    });
    await expect(first).rejects.toThrow(FencedError);
    stop.abort();
    await second;
  });
});

describe("defining a job", () => {
  const whole = copyJob().job.definition;
  test.each([
    ["a name that is no name", { name: "Large Payments" }, /cannot be named "Large Payments"/],
    ["no name", { name: undefined }, /has no name/],
    ["a misspelt option", { triger: "once" }, /no option "triger"/],
    ["an unknown trigger", { trigger: "daily" }, /trigger cannot be "daily"/],
    ["an interval of 0", { trigger: { intervalMs: 0 } }, /above 0/],
    ["a limit of 0", { maxOffsetsPerBatch: 0 }, /maxOffsetsPerBatch must be a whole number/],
    ["a minimum above the limit", { minOffsetsPerBatch: 9, maxOffsetsPerBatch: 3 }, /is more than maxOffsetsPerBatch/],
    ["no source", { source: undefined }, /source is undefined/],
    ["a sink that is none", { sink: {} }, /sink is an object, not a sink/],
    ["a pipeline that is no function", { pipeline: 1 }, /pipeline is 1, not a function/],
    ["an unknown poison policy", { onPoisonRecord: "ignore" }, /onPoisonRecord cannot be "ignore"/],
    ["an unknown commit mode", { commit: "auto" }, /commit cannot be "auto"/],
    ["a commit interval of 0", { commit: { autoCommitIntervalMs: 0 } }, /autoCommitIntervalMs must be .* above 0/],
    ["a store timeout of 0", { storeTimeoutMs: 0 }, /storeTimeoutMs must be a whole number/],
    ["an empty checkpoint", { checkpoint: "" }, /checkpoint is ""/],
  ])("%s is a ConfigError", (_, change, message) => {
    expect(() => defineJob({ ...whole, ...change } as never)).toThrow(ConfigError);
    expect(() => defineJob({ ...whole, ...change } as never)).toThrow(message);
  });
});
