// The checkpoint store suite's tests of several writers on one log: whoever took over last is the only one.
import { expect, it } from "vitest";
import { type CheckpointStoreHarness, entry, openBench } from "./checkpoint-store-bench.ts";

const RACERS = 50;

/** A writer that was overtaken changes nothing any more, however long it slept. */
export function fencing(harness: CheckpointStoreHarness): void {
  it("begins a later term after the head", async () => {
    await using bench = await openBench(harness);
    await bench.append(await bench.takeOver(), 1n, 5);
    await bench.takeOver();
    expect(await bench.numbers()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
  });

  it("refuses a writer that was overtaken, and never shows its entry", async () => {
    await using bench = await openBench(harness);
    const stale = await bench.takeOver();
    await bench.append(stale, 1n, 2);
    const current = await bench.takeOver();
    for (const seq of [3n, 4n, 5n]) {
      expect((await stale.append(seq, entry("stale"), [], bench.signal)).is).not.toBe("appended");
    }
    await bench.append(current, 4n, 3);
    expect((await stale.append(7n, entry("stale"), [], bench.signal)).is).not.toBe("appended");
    expect(await bench.numbers()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
    expect(await bench.texts()).not.toContain("stale");
  });

  it("still refuses a writer that slept until the entries after its last were pruned", async () => {
    await using bench = await openBench(harness);
    const frozen = await bench.takeOver();
    await bench.append(frozen, 1n, 1);
    const current = await bench.takeOver();
    await bench.append(current, 3n, 20);
    await current.prune(15n, bench.signal);
    expect(await frozen.append(2n, entry("frozen"), [], bench.signal)).toEqual({ is: "behind", head: 22n });
    expect(await bench.texts()).not.toContain("frozen");
    expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: 15n, head: 22n });
    await bench.append(current, 23n, 1);
  });

  it("does not let a writer that was overtaken prune", async () => {
    await using bench = await openBench(harness);
    const stale = await bench.takeOver();
    await bench.append(stale, 1n, 5);
    await bench.takeOver();
    await stale.prune(5n, bench.signal);
    expect(await bench.numbers()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
  });

  it("tells a writer that repeats its append after a take-over that the entry is there and its own", async () => {
    await using bench = await openBench(harness);
    const stale = await bench.takeOver();
    const mine = entry("mine");
    await stale.append(1n, mine, [], bench.signal);
    await bench.takeOver();
    expect(await stale.append(1n, mine, [], bench.signal)).toEqual({ is: "exists", entry: mine });
  });

  it(`lets ${RACERS} take over at once: each gets a number of its own, and only the last can append`, async () => {
    await using bench = await openBench(harness);
    const stores = await Promise.all(Array.from({ length: RACERS }, () => harness.open()));
    const begun = await Promise.all(
      stores.map(async (store, racer) => {
        let seq = -1n;
        const begin = (head: bigint) => {
          seq = head + 1n;
          return { seq, entry: entry(`racer ${racer}`) };
        };
        const writer = bench.use(await store.takeOver(bench.job, begin, bench.signal));
        return { writer, seq };
      }),
    );
    const expected = Array.from({ length: RACERS }, (_, index) => BigInt(index));
    expect(begun.map(({ seq }) => seq).sort((a, b) => Number(a - b))).toEqual(expected);
    expect(await bench.numbers()).toEqual(expected);

    const answers = await Promise.all(
      begun.map(async ({ writer, seq }) => ({ seq, is: (await writer.append(50n, entry("50"), [], bench.signal)).is })),
    );
    expect(answers.filter(({ is }) => is === "appended").map(({ seq }) => seq)).toEqual([49n]);
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  });
}

/** A term begins after the head, and only when its beginning was made. */
export function beginning(harness: CheckpointStoreHarness): void {
  it("appends nothing when beginning the term throws, and the next taker finds the same head", async () => {
    await using bench = await openBench(harness);
    const refuse = () => {
      throw new Error("not this log");
    };
    await expect(bench.store.takeOver(bench.job, refuse, bench.signal)).rejects.toThrow("not this log");
    expect(await bench.store.bounds(bench.job, bench.signal)).toBeUndefined();
    await bench.append(await bench.takeOver(), 1n, 1);
    await expect(bench.store.takeOver(bench.job, refuse, bench.signal)).rejects.toThrow("not this log");
    expect(await bench.numbers()).toEqual([0n, 1n]);
    await bench.append(await bench.takeOver(), 3n, 1);
  });

  it("begins a new history at a higher number", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver((head) => ({ seq: head + 1_000_000n, entry: entry("moved here") }));
    expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: 999_999n, head: 999_999n });
    await bench.append(writer, 1_000_000n, 2);
    expect(await bench.numbers()).toEqual([999_999n, 1_000_000n, 1_000_001n]);
  });

  it("begins a new history beyond an old one, and shows the hole between them", async () => {
    await using bench = await openBench(harness);
    await bench.append(await bench.takeOver(), 1n, 2);
    const writer = await bench.takeOver(() => ({ seq: 10n, entry: entry("moved here") }));
    await bench.append(writer, 11n, 1);
    expect(await bench.numbers()).toEqual([0n, 1n, 2n, 10n, 11n]);
    await writer.prune(11n, bench.signal);
    expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: 11n, head: 11n });
  });

  it("refuses a term that begins at the head or below it", async () => {
    await using bench = await openBench(harness);
    await bench.append(await bench.takeOver(), 1n, 2);
    for (const seq of [2n, 1n]) {
      const begin = () => ({ seq, entry: entry("again") });
      await expect(bench.store.takeOver(bench.job, begin, bench.signal)).rejects.toThrow(RangeError);
    }
    expect(await bench.texts()).not.toContain("again");
  });
}
