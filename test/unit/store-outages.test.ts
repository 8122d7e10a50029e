// A checkpoint store that is away: a run waits for it, says so, and goes on; or it ends when that takes too long.
import { map, type Observable } from "rxjs";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import { systemClock } from "../../runtime/clock.ts";
import { newRunMemory } from "../../runtime/engine/look.ts";
import {
  batches,
  type CheckpointStore,
  type CommitMode,
  defineJob,
  type JobEvent,
  type LogWriter,
  runJob,
  type Sink,
  TransientError,
} from "../../runtime/index.ts";
import { Retries } from "../../runtime/programs/retries.ts";

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);
const never = new Promise<never>(() => {});

/** A store whose every call is let through by `gate`, or not. */
function gatedStore(gate: (call: string) => Promise<void> | void): CheckpointStore {
  const store = memoryStore();
  const gated = <A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>) => {
    return async (...args: A): Promise<T> => {
      await gate(name);
      return await call(...args);
    };
  };
  const bounds = gated("bounds", store.bounds.bind(store));
  const heartbeat = gated("heartbeat", store.heartbeat.bind(store));
  const takeOver = store.takeOver.bind(store);
  return Object.assign(store, {
    bounds,
    heartbeat,
    takeOver: gated("takeOver", async (...args: Parameters<typeof takeOver>) => {
      const writer = await takeOver(...args);
      const append: LogWriter["append"] = gated("append", writer.append.bind(writer));
      return Object.assign(writer, { append, beat: gated("beat", writer.beat.bind(writer)) });
    }),
  });
}

function jobWith(checkpoint: CheckpointStore, storeTimeoutMs: number, commit: CommitMode = "batch") {
  const source = memorySource({ records: numbers(9) });
  const sink = memorySink<number>();
  const pipeline = (records$: Observable<{ value: number }>) => records$.pipe(map(({ value }) => value));
  const given = { name: "copy", trigger: "available-now", maxOffsetsPerBatch: 3 } as const;
  const job = defineJob({ ...given, source, pipeline, sink, checkpoint, storeTimeoutMs, commit });
  return { job, sink };
}

const modes: [CommitMode][] = [["batch"], [{ autoCommitIntervalMs: 1 }]];

test("a store that takes no heartbeat holds up the end of a run for two seconds at most", async () => {
  const store = gatedStore((call) => (call === "beat" ? never : undefined));
  const { job, sink } = jobWith(store, 30_000);
  const beganMs = performance.now();
  expect(await runJob(job)).toMatchObject({ reason: "nothing-left" });
  expect(performance.now() - beganMs).toBeLessThan(5_000);
  expect(sink.rows).toEqual(numbers(9));
});

test("a run that is stopped while its store is away does not wait for it", async () => {
  const store = gatedStore((call) => (call === "takeOver" || call === "beat" ? never : undefined));
  const { job } = jobWith(store, 30_000);
  const beganMs = performance.now();
  expect(await runJob(job, { signal: AbortSignal.timeout(200) })).toMatchObject({ reason: "stopped", batches: 0 });
  expect(performance.now() - beganMs).toBeLessThan(5_000);
});

describe.each(modes)("commit: %j", (commit) => {
  test("a store that is away for a while is waited for, which the run says, with its name", async () => {
    let awayUntilMs = Number.POSITIVE_INFINITY;
    let appends = 0;
    const store = gatedStore((call) => {
      if (call === "append" && ++appends === 2) awayUntilMs = performance.now() + 400;
      if (appends >= 2 && performance.now() < awayUntilMs) throw new TransientError("memory: is away");
    });
    const { job, sink } = jobWith(store, 30_000, commit);
    const events: JobEvent[] = [];
    expect(await runJob(job, { onEvent: (event) => events.push(event) })).toMatchObject({ reason: "nothing-left" });
    expect(new Set(sink.rows)).toEqual(new Set(numbers(9)));
    if (commit === "batch") expect(sink.rows).toEqual(numbers(9));
    const retrying = events.flatMap((event) => (event.type === "retrying" ? [String(event.error)] : []));
    expect(retrying.length).toBeGreaterThan(1);
    for (const error of retrying) expect(error).toContain("memory: is away");
    expect((await batches(job))[0]).toMatchObject({ state: "completed" });
  });

  test("a store that is away when the run begins is waited for as well", async () => {
    let asked = 0;
    const { job, sink } = jobWith(
      gatedStore((call) => {
        if (call === "heartbeat" && ++asked <= 2) throw new TransientError("memory: is away");
      }),
      30_000,
      commit,
    );
    const events: JobEvent["type"][] = [];
    await runJob(job, { onEvent: ({ type }) => events.push(type) });
    expect(events.slice(0, 3)).toEqual(["retrying", "retrying", "started"]);
    expect(sink.rows).toEqual(numbers(9));
  });

  test("a store that never answers ends the run after storeTimeoutMs, with its name and what to do", async () => {
    let appends = 0;
    const { job } = jobWith(
      gatedStore((call) => (call === "append" && ++appends > 1 ? never : undefined)),
      300,
      commit,
    );
    const beganMs = performance.now();
    const error = await runJob(job).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TransientError);
    expect(error).toMatchObject({
      message: expect.stringContaining("memory:"),
      hint: expect.stringMatching(/start the job/),
    });
    expect(performance.now() - beganMs).toBeGreaterThan(300);
    expect(performance.now() - beganMs).toBeLessThan(20_000);
  });

  test("a batch that always fails ends the run, though the store answers in between", async () => {
    const { job } = jobWith(memoryStore(), 300, commit);
    const sink: Sink<unknown> = {
      ...memorySink<unknown>(),
      open: async () => ({
        begin: () => Promise.reject(new TransientError("the sink is away")),
        [Symbol.asyncDispose]: async () => {},
      }),
    };
    const failing = { ...job, definition: { ...job.definition, sink, trigger: { intervalMs: 10 } } };
    await expect(runJob(Object.setPrototypeOf(failing, job))).rejects.toThrow("the sink is away (gave up");
  });
});

describe("retries", () => {
  const clockAt = (at: { ms: number }) => ({ ...systemClock, elapsed: () => at.ms, random: () => 1 });
  const error = new TransientError("away");

  test("short outages of an idle job do not add up, however far apart", () => {
    const at = { ms: 0 };
    const memory = newRunMemory(0);
    const retries = new Retries(clockAt(at), 1_000);
    for (let outage = 0; outage < 5; outage++) {
      expect(retries.after(error, memory)).toEqual({ attempt: 1, delayMs: 100 });
      expect(retries.after(error, memory)).toEqual({ attempt: 2, delayMs: 200 });
      memory.hasIdled = true;
      at.ms += 3_600_000;
    }
  });

  test("what fails in a batch is over only when a batch has got further", () => {
    const at = { ms: 0 };
    const memory = newRunMemory(0);
    const retries = new Retries(clockAt(at), 1_000);
    memory.isInBatch = true;
    expect(retries.after(error, memory).attempt).toBe(1);
    memory.hasIdled = true;
    at.ms = 900;
    expect(retries.after(error, memory).attempt).toBe(2);
    memory.furthest = 1;
    at.ms = 5_000;
    expect(retries.after(error, memory).attempt).toBe(1);
    at.ms = 6_001;
    expect(() => retries.after(error, memory)).toThrow(TransientError);
  });

  test("pauses grow to ten seconds", () => {
    const memory = newRunMemory(0);
    const retries = new Retries(clockAt({ ms: 0 }), 1_000);
    const pauses = Array.from({ length: 9 }, () => retries.after(error, memory).delayMs);
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  });
});
