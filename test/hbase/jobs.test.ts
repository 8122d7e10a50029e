// Jobs from end to end on a real HBase: through a split of the regions under them, a wiped checkpoint, and what an
// administrator did or left undone.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { hbaseSink } from "../../connectors/hbase/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import {
  CheckpointMissingError,
  ConfigError,
  defineJob,
  doctor,
  type Sink,
  type TidemarkError,
} from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";
import { startNumbers } from "./numbers-job.ts";
import { startWitness, type Witness } from "./witness.ts";

const { signal } = new AbortController();
let test: TestCluster;
let witness: Witness;
beforeAll(async () => {
  test = await testCluster();
  witness = startWitness(test.addresses);
}, serverStartTimeoutMs);
afterAll(async () => {
  await witness[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const row = (key: string, value: string) => ({
  row: Buffer.from(key),
  puts: [{ family: "f", qualifier: "q", stampMs: Date.now(), value: Buffer.from(value) }],
  removals: [],
});
const everything = { from: Buffer.alloc(0), until: Buffer.alloc(0), limit: 10_000, family: "f" };
const keysOf = (rows: readonly { row: Uint8Array }[]) => rows.map((each) => Buffer.from(each.row).toString());

it("a job's rows and checkpoint go on through regions that are split while it runs", async () => {
  const job = await startNumbers(test);
  await job.completed(2);
  await witness.split(job.name, "000700");
  await job.endsWell();
  expect(job.retries()).toEqual([]);
  expect(await witness.regions(job.name)).toBe(2);
  expect(await witness.row(job.name, "001999")).toEqual(["f:number=1999"]);
}, 60_000);

it("reads and writes forwards and backwards over regions that were split since they were last seen", async () => {
  const name = newName("split");
  await witness.create(name, "row020", "row050");
  const table = test.cluster.table(name);
  const keys = Array.from({ length: 100 }, (_, index) => `row${`${index}`.padStart(3, "0")}`);
  await table.write(
    keys.map((key) => row(key, "first")),
    signal,
  );
  await witness.split(name, "row035");
  expect(keysOf(await table.scan(everything, signal))).toEqual(keys);
  const backwards = { ...everything, from: Buffer.from("row070"), until: Buffer.from("row010"), isReversed: true };
  expect(keysOf(await table.scan(backwards, signal))).toEqual(keys.slice(11, 71).reverse());
  expect(keysOf(await table.scan({ ...backwards, limit: 25 }, signal))).toEqual(keys.slice(46, 71).reverse());
  expect(keysOf(await table.scan({ ...everything, from: Buffer.from("row015"), limit: 40 }, signal))).toEqual(
    keys.slice(15, 55),
  );
  await table.write(
    keys.map((key) => row(key, "second")),
    signal,
  );
  for (const key of ["row000", "row049", "row050", "row099"]) {
    const [cell] = await table.get(key, "f", ["q"], signal);
    expect(Buffer.from(cell?.value ?? []).toString()).toBe("second");
  }
}, 60_000);

describe("a checkpoint that is gone", () => {
  it.each(["delete-row", "drop"] as const)("while its job runs ends the run, and says so (%s)", async (how) => {
    const own = { ...test, table: newName("wiped") };
    const job = await startNumbers(own);
    await job.completed(2);
    if (how === "drop") await witness.drop(own.table);
    else await witness.deleteRow(own.table, job.name);
    const error = await job.running.then(
      () => undefined,
      (failure: TidemarkError) => failure,
    );
    expect(error).toBeInstanceOf(CheckpointMissingError);
    expect(error?.message).toContain(`the checkpoint of ${job.name} is gone`);
  });

  it("can be begun anew by who wants that, whatever was deleted before", async () => {
    const job = newName("job");
    await using store = hbaseStore(test);
    await using writer = await store.takeOver(job, next("begin"), signal);
    await writer.append(1n, entry("one"), [], signal);
    await witness.deleteRow(test.table, job);
    expect(await store.bounds(job, signal)).toBeUndefined();
    await using anew = await store.takeOver(job, next("begin"), signal);
    expect(await anew.append(1n, entry("one"), [], signal)).toEqual({ is: "appended" });
    expect(await store.bounds(job, signal)).toEqual({ first: 0n, head: 1n });
    expect((await writer.append(2n, entry("two"), [], signal)).is).not.toBe("appended");
  });
});

describe("what an administrator has to do", () => {
  async function errorOf(sink: Sink<never>): Promise<TidemarkError> {
    const context = { jobName: "job", baseDir: ".", warn: () => undefined, lineageId: newName("lineage"), epoch: 0n };
    return await sink.open(context, signal).then(
      () => {
        throw new Error("it was opened");
      },
      (error: TidemarkError) => error,
    );
  }

  it("is what to type into hbase shell, when the table or the family is missing", async () => {
    const { zookeeper } = test;
    const table = newName("rows");
    const missing = await errorOf(hbaseSink({ zookeeper, table, row: "id" }));
    expect(missing).toBeInstanceOf(ConfigError);
    expect(missing.hint).toContain(`create '${table}', 'f' makes this one`);
    await test.cluster.ensureTable(table, ["f"], signal);
    const narrow = await errorOf(hbaseSink({ zookeeper, table, row: "id", family: "cf" }));
    expect(narrow).toBeInstanceOf(ConfigError);
    expect(narrow.hint).toBe(`add it, in hbase shell: alter '${table}', 'cf'`);
  });

  it("is found by doctor, when the store's table forgets or lacks its family", async () => {
    const table = newName("tidemark");
    await using store = hbaseStore({ ...test, table });
    expect(await store.examine(signal)).toEqual([]);
    await test.cluster.ensureTable(table, ["log"], signal);
    expect(await store.examine(signal)).toEqual([]);
    await witness.ttl(table, "log", 86_400);
    const mend = `alter '${table}', {NAME => 'log', TTL => 'FOREVER'}`;
    expect(await store.examine(signal)).toEqual([expect.stringContaining(`idle for 86400 s: ${mend}`)]);
    const other = newName("other");
    await test.cluster.ensureTable(other, ["f"], signal);
    await using lacking = hbaseStore({ ...test, table: other });
    expect(await lacking.examine(signal)).toEqual([expect.stringContaining(`alter '${other}', 'log'`)]);
  });

  it("is told by doctor with the protocol that the cluster speaks", async () => {
    await using store = hbaseStore({ ...test, table: newName("tidemark") });
    const job = defineJob({
      name: "told",
      source: memorySource({ records: [1] }),
      pipeline: (records$) => records$,
      sink: () => {},
      checkpoint: store,
    });
    expect((await doctor(job))[0]).toEqual({
      ...{ check: "store", status: "ok" },
      detail: `${store.url} (HBase, protocol 2.x)`,
    });
  });

  it("is told when there is no HBase under that parent of ZooKeeper", async () => {
    await using store = hbaseStore({ zookeeper: test.zookeeper, parent: "/hbase-secure" });
    await expect(store.bounds("job", signal)).rejects.toMatchObject({
      code: "CONFIG",
      hint: expect.stringContaining("?parent="),
    });
  });
});
