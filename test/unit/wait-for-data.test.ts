// A job that waits for data: sources that can tell when some comes wake it, those that cannot are looked at again and
// again, and none can make it busy for nothing.
import { setImmediate as turn } from "node:timers/promises";
import { map } from "rxjs";
import { expect, test } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { type MemorySource, memorySink, memorySource } from "../../connectors/memory/index.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { defineJob, type JobEvent, runJob, type Source, type SourceReader } from "../../runtime/index.ts";

type Reader = SourceReader<never>;

/** A memory source whose readers are made otherwise. */
function changed(source: MemorySource<number>, change: (reader: Reader) => Reader): Source<{ value: number }> {
  return { ...source, open: async (...asked) => change((await source.open(...asked)) as Reader) };
}

/** Copies to memory until there are so many rows, or it is told to stop. */
async function copy(source: Source<{ value: number }>, clock: Clock, onEvent: (event: JobEvent) => void, rows = 2) {
  const sink = memorySink<number>();
  const stop = new AbortController();
  const job = defineJob({
    name: "copy",
    source,
    pipeline: (records$) => records$.pipe(map(({ value }) => value)),
    sink,
    checkpoint: memoryStore(),
    trigger: "continuous",
  });
  const result = await runJob(job, {
    clock,
    signal: stop.signal,
    onEvent: (event) => {
      onEvent(event);
      if (sink.rows.length >= rows) stop.abort();
    },
  });
  return { rows: sink.rows, result };
}

/** Nothing is ever over because of time. */
const timeless: Clock = {
  ...systemClock,
  sleep: (_ms, signal) =>
    new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    }),
};

test("a source that can tell when there is more wakes the job, whatever the time", async () => {
  const source = memorySource({ records: [1] });
  const { rows, result } = await copy(source, timeless, ({ type }) => {
    // Not before the job really waits.
    if (type === "idle") setTimeout(() => source.append([2]), 1);
  });
  expect(rows).toEqual([1, 2]);
  expect(result.reason).toBe("stopped");
});

test("a job that waits for its source stops when it is told to, even if the source does not listen", async () => {
  const deaf = changed(memorySource({ records: [1] }), (reader) =>
    Object.assign(reader, { waitForMore: () => new Promise<void>(() => {}) }),
  );
  const stop = new AbortController();
  const job = defineJob({
    name: "deaf",
    source: deaf,
    pipeline: (all$) => all$,
    sink: () => {},
    checkpoint: memoryStore(),
  });
  const running = runJob(job, {
    trigger: "continuous",
    clock: timeless,
    signal: stop.signal,
    onEvent: ({ type }) => type === "idle" && setTimeout(() => stop.abort(), 1),
  });
  expect(await running).toMatchObject({ reason: "stopped", batches: 1 });
});

function raise(message: string): never {
  throw new Error(message);
}

for (const [kind, waitForMore] of [
  ["says so for nothing", () => turn()],
  ["fails of it", () => turn().then(() => Promise.reject(new Error("out of order")))],
  ["throws at once", () => raise("out of order")],
] as const) {
  test(`a source that ${kind} is looked at as often as one that cannot tell`, async () => {
    let pauses = 0;
    const sleep: Clock["sleep"] = async (ms, signal) => {
      if (ms !== 100) return await timeless.sleep(ms, signal);
      pauses++;
      await turn();
    };
    let looks = 0;
    const source = memorySource({ records: [1] });
    const counted = changed(source, (reader) => {
      const partitions = reader.partitions.bind(reader);
      const look: Reader["partitions"] = (signal) => {
        if (++looks === 200) source.append([2]);
        return partitions(signal);
      };
      return Object.assign(reader, { waitForMore, partitions: look });
    });
    await copy(counted, { ...timeless, sleep }, () => {});
    // One in every two looks comes after a pause.
    expect(pauses).toBeGreaterThan(90);
  });
}
