// When a job on one thread is told that more would pay.
import { expect, test } from "vitest";
import { ThreadAdvice } from "../../runtime/programs/thread-advice.ts";

const ranges = (count: number) =>
  Array.from({ length: count }, (_, partition) => ({ topic: "t", partition, fromOffset: 0n, untilOffset: 10n }));

/** What is said over batches of a second each, busy for so much of it. */
function said(cores: number, partitions: number, busyMs: readonly number[]): string[] {
  const advice = new ThreadAdvice(cores);
  let cpuMs = 0;
  return busyMs.flatMap((busy, batch) => {
    cpuMs += busy;
    return advice.completed({ ranges: ranges(partitions) }, { elapsedMs: batch * 1_000, cpuMs }) ?? [];
  });
}

const busy = (batches: number) => new Array<number>(batches).fill(980);

test("once, after several busy batches, with as many threads as there are partitions or cores", () => {
  expect(said(2, 4, busy(20))).toEqual(["one thread is busy all the time, and there are 2 cores: try --threads 2"]);
  expect(said(8, 3, busy(20))).toEqual([expect.stringContaining("--threads 3")]);
});

test("not before, nor with one core or one partition", () => {
  expect(said(2, 4, busy(5))).toEqual([]);
  expect(said(1, 4, busy(20))).toEqual([]);
  expect(said(2, 1, busy(20))).toEqual([]);
});

test("not when it waits in between, until it does not any more", () => {
  expect(said(2, 4, new Array<number>(20).fill(600))).toEqual([]);
  expect(said(2, 4, [...new Array<number>(10).fill(600), ...busy(12)])).toHaveLength(1);
});
