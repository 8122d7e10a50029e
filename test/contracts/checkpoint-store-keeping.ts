// The checkpoint store suite's tests of time passing: pruning, reading beside it, closing and opening again.
import { expect, it } from "vitest";
import { type CheckpointStoreHarness, entry, next, openBench } from "./checkpoint-store-bench.ts";

const isNight = process.env["NIGHTLY"] !== undefined;
const APPENDS = isNight ? 10_000 : 1_000;
const APPENDED_WITHIN_MS = isNight ? 900_000 : 60_000;

/** Pruning forgets from the oldest on, and never the newest. */
export function pruning(harness: CheckpointStoreHarness): void {
  const appends = BigInt(harness.appends ?? APPENDS);
  it(
    `keeps its bounds right over ${appends} appends and prunes`,
    async () => {
      await using bench = await openBench(harness);
      const writer = await bench.takeOver();
      for (let seq = 1n; seq <= appends; seq++) {
        expect(await writer.append(seq, entry(`entry ${seq}`), [], bench.signal)).toEqual({ is: "appended" });
        await writer.prune(seq - 9n, bench.signal);
        if (seq % 50n !== 0n) continue;
        expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: seq - 9n, head: seq });
      }
      expect(await bench.numbers()).toEqual(Array.from({ length: 10 }, (_, index) => appends - 9n + BigInt(index)));
    },
    APPENDED_WITHIN_MS,
  );

  it("keeps the newest entry whatever is pruned, and goes on after it", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    await bench.append(writer, 1n, 5);
    await writer.prune(100n, bench.signal);
    expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: 5n, head: 5n });
    await bench.append(writer, 6n, 1);
    expect(await bench.numbers()).toEqual([5n, 6n]);
  });
}

/** Readers are not disturbed by what happens beside them. */
export function readingOn(harness: CheckpointStoreHarness): void {
  it("reads on while entries are pruned and appended", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    await bench.append(writer, 1n, 50);
    const seen: bigint[] = [];
    for await (const { seq } of bench.store.read(bench.job, 0n, bench.signal)) {
      seen.push(seq);
      if (seq !== 5n) continue;
      await writer.prune(20n, bench.signal);
      await bench.append(writer, 51n, 5);
    }
    // What was pruned may be in the answer or not; what was not must be.
    expect(seen.filter((seq) => seq >= 20n && seq <= 50n)).toEqual(
      Array.from({ length: 31 }, (_, i) => BigInt(20 + i)),
    );
    expect(seen).toEqual([...seen].sort((a, b) => Number(a - b)));
  });

  it("reads on while another takes over", async () => {
    await using bench = await openBench(harness);
    await bench.append(await bench.takeOver(), 1n, 20);
    const seen: bigint[] = [];
    for await (const { seq } of bench.store.read(bench.job, 0n, bench.signal)) {
      seen.push(seq);
      if (seq % 5n === 0n) await bench.takeOver();
    }
    expect(seen.slice(0, 21)).toEqual(Array.from({ length: 21 }, (_, index) => BigInt(index)));
  });

  it("keeps the log when every handle is closed", async () => {
    await using bench = await openBench(harness);
    {
      await using store = await harness.open();
      await using writer = await store.takeOver(bench.job, next("begin"), bench.signal);
      await bench.append(writer, 1n, 2);
    }
    expect(await bench.texts()).toEqual(["begin", "entry 1", "entry 2"]);
  });

  it("finds nothing to tell about a place that is well, or tells it in single lines", async () => {
    await using bench = await openBench(harness);
    await bench.takeOver();
    for (const finding of await bench.store.examine(bench.signal)) expect(finding).not.toMatch(/^\s*$|\n/);
  });
}
