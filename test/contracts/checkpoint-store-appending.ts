// The checkpoint store suite's tests of one writer on one log: numbering, retries, and what another handle reads.
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { type CheckpointStoreHarness, collect, entry, next, openBench, token } from "./checkpoint-store-bench.ts";

/** Numbers are dense, and each append says what it found. */
export function appending(harness: CheckpointStoreHarness): void {
  it("has no bounds and no entries for a job that is new", async () => {
    await using bench = await openBench(harness);
    expect(await bench.store.bounds(bench.job, bench.signal)).toBeUndefined();
    expect(await bench.entries()).toEqual([]);
    expect(await bench.store.jobs(bench.signal)).not.toContain(bench.job);
  });

  it("tells the first taker that there is no head and appends its entry at 0", async () => {
    await using bench = await openBench(harness);
    const heads: bigint[] = [];
    const first = entry("first");
    await bench.takeOver((head) => {
      heads.push(head);
      return { seq: head + 1n, entry: first };
    });
    expect(heads.at(-1)).toBe(-1n);
    expect(await bench.entries()).toEqual([{ seq: 0n, entry: first }]);
    expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: 0n, head: 0n });
  });

  it("appends one after the other and reads them back in order, from the number asked for", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const written = await bench.append(writer, 1n, 20);
    expect((await bench.entries()).slice(1)).toEqual(written);
    expect(await bench.entries(15n)).toEqual(written.slice(14));
    expect(await bench.entries(21n)).toEqual([]);
  });

  it("refuses a number beyond the next, and says where the head is", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const appended = await writer.append(2n, entry("too far"), [], bench.signal);
    expect(appended).toEqual({ is: "behind", head: 0n });
    expect(await bench.numbers()).toEqual([0n]);
  });

  it("answers a number that is taken with the entry that is there", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const [, second] = await bench.append(writer, 1n, 3);
    expect(await writer.append(2n, entry("another"), [], bench.signal)).toEqual({ is: "exists", entry: second?.entry });
    expect(await bench.numbers()).toEqual([0n, 1n, 2n, 3n]);
  });

  it("appends nothing once the signal has been given", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(writer.append(1n, entry("late"), [], signal)).rejects.toThrow("stop");
    await expect(bench.store.takeOver(bench.job, next("late"), signal)).rejects.toThrow("stop");
    expect(await bench.numbers()).toEqual([0n]);
  });
}

/** An append that is sent again happens once. */
export function repeating(harness: CheckpointStoreHarness): void {
  it("recognises an append that is repeated with the same bytes and token, and goes on after it", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const mine = entry("mine");
    expect(await writer.append(1n, mine, [], bench.signal)).toEqual({ is: "appended" });
    const again = await writer.append(1n, { token: mine.token, bytes: mine.bytes.slice() }, [], bench.signal);
    // A store that keeps nothing apart may as well say that it has appended it.
    if (again.is !== "appended") expect(again).toEqual({ is: "exists", entry: mine });
    expect(await bench.numbers()).toEqual([0n, 1n]);
    expect(await writer.append(2n, entry("next"), [], bench.signal)).toEqual({ is: "appended" });
  });

  it("appends the same entry once when it is sent several times at once", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const mine = entry("mine");
    const answers = await Promise.all([1, 2, 3, 4].map(() => writer.append(1n, mine, [], bench.signal)));
    for (const answer of answers) if (answer.is !== "appended") expect(answer).toEqual({ is: "exists", entry: mine });
    expect(await bench.entries(1n)).toEqual([{ seq: 1n, entry: mine }]);
  });
}

/** What was appended is what is read, at once and everywhere. */
export function readingBack(harness: CheckpointStoreHarness): void {
  it("keeps its own copy of the bytes", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const bytes = Buffer.from("before");
    await writer.append(1n, { token: token(), bytes }, [], bench.signal);
    bytes.write("after!");
    const [there] = await bench.entries(1n);
    expect(Buffer.from(there?.entry.bytes ?? []).toString()).toBe("before");
  });

  it("shows an entry to another handle as soon as it is appended", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    await using other = await harness.open();
    for (let seq = 1n; seq <= 20n; seq++) {
      await bench.append(writer, seq, 1);
      expect((await other.bounds(bench.job, bench.signal))?.head).toBe(seq);
      expect((await collect(other.read(bench.job, seq, bench.signal))).map((item) => item.seq)).toEqual([seq]);
    }
  });

  it("gives back an empty entry and one of 1 MB byte for byte", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    const large = {
      token: token(),
      bytes: new Uint8Array(randomBytes(Math.min(1_000_000, bench.store.maxEntryBytes))),
    };
    const empty = { token: token(), bytes: new Uint8Array(0) };
    expect(await writer.append(1n, large, [], bench.signal)).toEqual({ is: "appended" });
    expect(await writer.append(2n, empty, [], bench.signal)).toEqual({ is: "appended" });
    const [first, second] = await bench.entries(1n);
    expect(first?.entry.token).toBe(large.token);
    expect(Buffer.compare(first?.entry.bytes ?? new Uint8Array(), large.bytes)).toBe(0);
    expect(second?.entry).toEqual(empty);
  });
}
