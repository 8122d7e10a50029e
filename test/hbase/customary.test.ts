// What the store keeps where people of Spark Streaming look for it, read by HBase's own client in Java as they do it:
// the first row of a scan backwards is the newest, its cells are the partitions, and there is nothing else in it.
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import type { CheckpointStore, Position } from "../../runtime/index.ts";
import { collect, entry, heartbeat, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";
import { startWitness, type Witness } from "./witness.ts";

const { signal } = new AbortController();
let test: TestCluster;
let witness: Witness;
let store: CheckpointStore;
beforeAll(async () => {
  test = await testCluster();
  witness = startWitness(test.addresses);
  store = hbaseStore(test);
}, serverStartTimeoutMs);
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await witness[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const at = (offset: bigint, topic = "payments"): Position[] =>
  [0, 1, 10].map((partition) => ({ topic, partition, offset: offset + BigInt(partition) }));

const cellsAt = (offset: number) => [`offsets:0=${offset}`, `offsets:1=${offset + 1}`, `offsets:10=${offset + 10}`];

it("answers the customary scan with the newest offsets of all partitions, and nothing else", async () => {
  const job = newName("job");
  await using writer = await store.takeOver(job, next("begin"), signal);
  expect(await witness.latest(test.offsetsTable, "payments", job)).toEqual(["none"]);
  for (const seq of [1n, 2n, 3n]) {
    expect(await writer.append(seq, entry("complete"), at(seq * 100n), signal)).toEqual({ is: "appended" });
    expect(await witness.latest(test.offsetsTable, "payments", job)).toEqual(cellsAt(Number(seq) * 100));
  }
  await writer.append(4n, entry("nothing completed"), [], signal);
  expect(await witness.latest(test.offsetsTable, "payments", job)).toEqual(cellsAt(300));
  expect(await witness.rows(test.offsetsTable, `payments:${job}:`)).toHaveLength(3);
});

it("shows the newest where the clock was set back, or is behind that of the machine before", async () => {
  const job = newName("job");
  const clock = vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
  try {
    await using ahead = await store.takeOver(job, next("begin"), signal);
    expect(await ahead.append(1n, entry("complete"), at(100n), signal)).toEqual({ is: "appended" });
    await ahead.beat(heartbeat(0n, { beat: 1 }), signal);
    clock.setSystemTime(Date.now() - 3_600_000);
    expect(await ahead.append(2n, entry("complete"), at(200n), signal)).toEqual({ is: "appended" });
    await ahead.beat(heartbeat(0n, { beat: 2 }), signal);
    expect(await store.heartbeat(job, signal)).toMatchObject({ beat: 2 });
    await ahead.prune(1n, signal);
    await ahead.prune(2n, signal);
    expect(await store.bounds(job, signal)).toEqual({ first: 2n, head: 2n });
  } finally {
    vi.useRealTimers();
  }
  await using behind = await store.takeOver(job, next("again"), signal);
  expect(await behind.append(4n, entry("complete"), at(400n), signal)).toEqual({ is: "appended" });
  await behind.beat(heartbeat(3n, { beat: 1 }), signal);
  await behind.prune(3n, signal);
  expect(await store.heartbeat(job, signal)).toMatchObject({ epoch: 3n });
  expect(await store.bounds(job, signal)).toEqual({ first: 3n, head: 4n });
  expect((await collect(store.read(job, 0n, signal))).map(({ seq }) => seq)).toEqual([3n, 4n]);
  const rows = await witness.rows(test.offsetsTable, `payments:${job}:`);
  expect(await witness.row(test.offsetsTable, rows.sort().at(-1) ?? "")).toEqual(cellsAt(400));
});

it("keeps a row for each topic, under the group that it is told", async () => {
  const group = newName("group");
  await using mine = hbaseStore({ ...test, group });
  await using writer = await mine.takeOver(newName("job"), next("begin"), signal);
  await writer.append(1n, entry("complete"), [...at(7n, "a.b-c_d"), ...at(9n, "payments")], signal);
  expect(await witness.latest(test.offsetsTable, "a.b-c_d", group)).toEqual(cellsAt(7));
  expect(await witness.latest(test.offsetsTable, "payments", group)).toEqual(cellsAt(9));
});

it("shows what a writer appended that died before it could show it, when the next one takes over", async () => {
  const job = newName("job");
  await using writer = await store.takeOver(job, next("begin"), signal);
  await writer.append(1n, entry("complete"), at(100n), signal);
  const [row = ""] = await witness.rows(test.offsetsTable, `payments:${job}:`);
  // As if it had never been written.
  await witness.deleteRow(test.offsetsTable, row);
  await witness.drop(test.offsetsTable);
  await using _next = await store.takeOver(job, next("begin"), signal);
  expect(await witness.latest(test.offsetsTable, "payments", job)).toEqual(cellsAt(100));
  expect(await witness.rows(test.offsetsTable, `payments:${job}:`)).toEqual([row]);
});

it("does not move the offsets back for a writer that was overtaken", async () => {
  const job = newName("job");
  await using frozen = await store.takeOver(job, next("begin"), signal);
  await frozen.append(1n, entry("complete"), at(100n), signal);
  await using current = await store.takeOver(job, next("begin"), signal);
  await current.append(3n, entry("complete"), at(200n), signal);
  expect((await frozen.append(2n, entry("complete"), at(150n), signal)).is).not.toBe("appended");
  expect(await witness.latest(test.offsetsTable, "payments", job)).toEqual(cellsAt(200));
});

it("forgets rows with the entries they belong to, but never the newest", async () => {
  const job = newName("job");
  await using writer = await store.takeOver(job, next("begin"), signal);
  for (let seq = 1n; seq <= 20n; seq++) await writer.append(seq, entry("complete"), at(seq), signal);
  await writer.prune(16n, signal);
  expect(await witness.rows(test.offsetsTable, `payments:${job}:`)).toHaveLength(5);
  for (let seq = 21n; seq <= 25n; seq++) await writer.append(seq, entry("idle"), [], signal);
  await writer.prune(100n, signal);
  expect(await witness.rows(test.offsetsTable, `payments:${job}:`)).toHaveLength(1);
  expect(await witness.latest(test.offsetsTable, "payments", job)).toEqual(cellsAt(20));
});

it("shows no topic that Kafka could not have, and nothing where it is told to", async () => {
  const job = newName("job");
  await using writer = await store.takeOver(job, next("begin"), signal);
  await writer.append(1n, entry("complete"), at(1n, "a:b"), signal);
  expect(await witness.rows(test.offsetsTable, "a:b")).toEqual([]);
  await using silent = hbaseStore({ ...test, group: false });
  const other = newName("job");
  await using quiet = await silent.takeOver(other, next("begin"), signal);
  await quiet.append(1n, entry("complete"), at(1n), signal);
  expect(await witness.rows(test.offsetsTable, `payments:${other}`)).toEqual([]);
});
