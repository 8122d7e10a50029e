// The checkpoint store suite's tests of what lies beside the entries: job names and heartbeats.
import { expect, it } from "vitest";
import { ConfigError } from "../../runtime/index.ts";
import { type CheckpointStoreHarness, collect, entry, heartbeat, next, openBench } from "./checkpoint-store-bench.ts";

/** A name is a job's own, and no name leads out of the store. */
export function naming(harness: CheckpointStoreHarness): void {
  it("takes every character that a job name may have", async () => {
    await using bench = await openBench(harness);
    const long = `${bench.job}_-abcdefghijklmnopqrstuvwxyz0123456789-_-`.slice(0, 63);
    for (const jobName of [long, `${bench.job}-`, `${bench.job}_`]) {
      bench.use(await bench.store.takeOver(jobName, next("begin"), bench.signal));
      expect((await bench.store.bounds(jobName, bench.signal))?.head).toBeGreaterThanOrEqual(0n);
      expect(await bench.store.jobs(bench.signal)).toContain(jobName);
    }
  });

  it("keeps two jobs apart, also where one's name begins like the other's", async () => {
    await using bench = await openBench(harness);
    const other = `${bench.job}2`;
    const mine = await bench.takeOver();
    const theirs = bench.use(await bench.store.takeOver(other, next("theirs"), bench.signal));
    await bench.append(mine, 1n, 3);
    expect(await theirs.append(1n, entry("theirs"), [], bench.signal)).toEqual({ is: "appended" });
    await mine.prune(3n, bench.signal);
    expect(await bench.store.bounds(bench.job, bench.signal)).toEqual({ first: 3n, head: 3n });
    expect(await bench.store.bounds(other, bench.signal)).toEqual({ first: 0n, head: 1n });
    expect(await bench.texts()).not.toContain("theirs");
  });

  it("lists its jobs sorted", async () => {
    await using bench = await openBench(harness);
    const names = ["c", "a", "b"].map((letter) => `${bench.job}-${letter}`);
    for (const name of names) bench.use(await bench.store.takeOver(name, next("begin"), bench.signal));
    const listed = await bench.store.jobs(bench.signal);
    expect(listed.filter((name) => names.includes(name))).toEqual([...names].sort());
    expect(listed).toEqual([...listed].sort());
  });

  const hostile = [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "a\\b",
    "/etc",
    "A",
    "-a",
    "_a",
    ".new",
    "a.b",
    "a b",
    "a\u0000",
    "a\n",
    "ä",
    "a'b",
  ];
  it.each([...hostile, "x".repeat(64)])("refuses the job name %j everywhere", async (jobName) => {
    await using bench = await openBench(harness);
    const { store, signal } = bench;
    await expect(store.bounds(jobName, signal)).rejects.toThrow(ConfigError);
    await expect(collect(store.read(jobName, 0n, signal))).rejects.toThrow(ConfigError);
    await expect(store.takeOver(jobName, next("begin"), signal)).rejects.toThrow(ConfigError);
    await expect(store.heartbeat(jobName, signal)).rejects.toThrow(ConfigError);
  });
}

/** A heartbeat is the newest writer's. */
export function beating(harness: CheckpointStoreHarness): void {
  it("has no heartbeat before the first", async () => {
    await using bench = await openBench(harness);
    expect(await bench.store.heartbeat(bench.job, bench.signal)).toBeUndefined();
    await bench.takeOver();
    expect(await bench.store.heartbeat(bench.job, bench.signal)).toBeUndefined();
  });

  it("shows the last heartbeat of several, to every handle", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    for (const beat of [1, 2, 3]) await writer.beat(heartbeat(0n, { beat }), bench.signal);
    await writer.beat(heartbeat(0n, { beat: 4, stopped: true, processStart: "12:34" }), bench.signal);
    await using other = await harness.open();
    const last = await other.heartbeat(bench.job, bench.signal);
    expect(last).toEqual(heartbeat(0n, { beat: 4, stopped: true, processStart: "12:34" }));
    const current = JSON.stringify({ 'a "topic"': { 0: "x".repeat(30_000) } });
    await writer.beat(heartbeat(0n, { beat: 5, current }), bench.signal);
    expect(await other.heartbeat(bench.job, bench.signal)).toEqual(heartbeat(0n, { beat: 5, current }));
  });

  it("does not let an older epoch's heartbeat replace a newer one's", async () => {
    await using bench = await openBench(harness);
    const stale = await bench.takeOver();
    await stale.beat(heartbeat(0n, { beat: 1 }), bench.signal);
    const current = await bench.takeOver();
    await current.beat(heartbeat(1n, { beat: 1 }), bench.signal);
    await stale.beat(heartbeat(0n, { beat: 2 }), bench.signal);
    expect(await bench.store.heartbeat(bench.job, bench.signal)).toEqual(heartbeat(1n, { beat: 1 }));
  });

  it("leaves the log alone", async () => {
    await using bench = await openBench(harness);
    const writer = await bench.takeOver();
    await writer.beat(heartbeat(0n, { beat: 1 }), bench.signal);
    await bench.append(writer, 1n, 1);
    expect(await bench.numbers()).toEqual([0n, 1n]);
  });
}
