// Rows, marker, entry and customary offsets: one transaction where sink and store are the same database, two where they
// are not, and exact both times. Told by the system column xmin, the number of the transaction that wrote a row.
import { filter, map } from "rxjs";
import { afterAll, beforeAll, expect, expectTypeOf, it } from "vitest";
import { postgresStore } from "../../checkpoints/postgres.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import { defineJob, runJob, type Sink } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";

const RECORDS = 1_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

/** A job with ten batches into a table of its own, both of the same name. */
async function newJob(checkpoint: string) {
  const name = newName("joint");
  await database.query(`create table ${name} (id bigint primary key)`);
  const job = defineJob({
    name,
    source: memorySource({ topic: "log", partitions: [numbers(0), numbers(1)] }),
    pipeline: (records$) => records$.pipe(map(({ value }) => ({ id: value }))),
    sink: postgresSink({ url: database.url, table: name }),
    checkpoint,
    trigger: "available-now",
    maxOffsetsPerBatch: 200,
  });
  const count = async () => Number((await database.query(`select count(*) from ${name}`))[0]?.["count"]);
  return { name, job, count };
}

function numbers(partition: number): number[] {
  return Array.from({ length: RECORDS }, (_, index) => index * 2 + partition);
}

/** Makes every change of this kind fail until it is disposed of. */
async function broken(
  table: string,
  when: string,
  query: TestDatabase["query"] = database.query,
): Promise<AsyncDisposable> {
  const name = newName("broken");
  await query(`create function ${name}() returns trigger language plpgsql as
    'begin raise exception ''broken by the test''; end'`);
  await query(`create trigger ${name} after insert or update on ${table} for each row when (${when})
    execute function ${name}()`);
  return { [Symbol.asyncDispose]: async () => void (await query(`drop function ${name} cascade`)) };
}

it("writes a batch's rows, marker, entry and offsets in one transaction when the database is the same", async () => {
  const { name, job } = await newJob(database.url);
  expect(await runJob(job)).toMatchObject({ batches: 10, rows: 2 * RECORDS });
  const batches = await database.query(`select xmin::text as xid, count(*)::int as rows from ${name} group by xmin`);
  expect(batches.map(({ rows }) => rows)).toEqual(Array(10).fill(200));
  const entries = await database.query(`select distinct xmin::text as xid from tidemark.entries where job = $1`, [
    name,
  ]);
  const ofEntries = entries.map(({ xid }) => xid);
  for (const { xid } of batches) expect(ofEntries).toContain(xid);
  const newest = await database.query(`select xmin::text as xid from ${name} where id = ${2 * RECORDS - 1}`);
  expect(
    await database.query("select xmin::text as xid from tidemark.batches where target = $1", [`public.${name}`]),
  ).toEqual(newest);
  const offsets = "select topic, partition, until_offset::int, xmin::text as xid from tidemark.offsets";
  expect(await database.query(`${offsets} where job = $1 order by partition`, [name])).toEqual([
    { topic: "log", partition: 0, until_offset: RECORDS, ...newest[0] },
    { topic: "log", partition: 1, until_offset: RECORDS, ...newest[0] },
  ]);
});

it("shows no row when the entry cannot be appended in their transaction, and all of them later", async () => {
  const { name, job, count } = await newJob(database.url);
  {
    await using _ = await broken("tidemark.entries", `new.job = '${name}' and new.seq >= 2`);
    await expect(runJob(job)).rejects.toThrow("broken by the test");
    expect(await count()).toBe(0);
  }
  expect(await runJob(job)).toMatchObject({ batches: 10, alreadyWritten: 0 });
  expect(await count()).toBe(2 * RECORDS);
});

it("appends no entry when the rows cannot be committed", async () => {
  const { name, job, count } = await newJob(database.url);
  await database.query(`alter table ${name} add constraint late unique (id) deferrable initially deferred`);
  await database.query(`alter table ${name} drop constraint ${name}_pkey`);
  await database.query(`insert into ${name} values (7)`);
  await expect(runJob(job)).rejects.toThrow(/duplicate key/);
  expect(await count()).toBe(1);
  const entries = await database.query("select seq::int from tidemark.entries where job = $1 order by seq", [name]);
  expect(entries).toEqual([{ seq: 0 }, { seq: 1 }]);
});

it("does not join a checkpoint in another database, and does not write again what only the rows' one has", async () => {
  const { name, job, count } = await newJob(database.otherUrl);
  await runJob((await newJob(database.otherUrl)).job);
  {
    await using _ = await broken("tidemark.entries", `new.job = '${name}' and new.seq >= 2`, database.queryOther);
    await expect(runJob(job)).rejects.toThrow("broken by the test");
    expect(await count()).toBe(200);
  }
  expect(await runJob(job)).toMatchObject({ batches: 10, alreadyWritten: 1 });
  expect(await count()).toBe(2 * RECORDS);
  const offsets = "select partition, until_offset::int from tidemark.offsets where job = $1 order by partition";
  expect(await database.queryOther(offsets, [name])).toEqual([
    { partition: 0, until_offset: RECORDS },
    { partition: 1, until_offset: RECORDS },
  ]);
});

it("joins only what is the same server, database and user", async () => {
  const { signal } = new AbortController();
  const table = newName("places");
  await database.query(`create table ${table} (id bigint)`);
  const sink = postgresSink({ url: database.url, table });
  const context = { jobName: "j", baseDir: ".", warn: () => undefined, lineageId: newName("lineage"), epoch: 0n };
  await using writer = await sink.open(context, signal);
  const batch = { jobName: "j", lineageId: context.lineageId, batchId: 0, planHash: "p", ranges: [], signal };
  const write = await writer.begin(batch);
  if (write === "already-written") throw new Error("nothing was written yet");
  await using rows = write;
  const canJoin = async (url: string) => {
    await using store = postgresStore({ url, schema: newName("schema") });
    const begin = (head: bigint) => ({ seq: head + 1n, entry: { token: "t", bytes: new Uint8Array() } });
    await using log = await store.takeOver("j", begin, signal);
    return rows.transaction !== undefined && log.canJoin?.(rows.transaction);
  };
  expect(await canJoin(database.url)).toBe(true);
  expect(await canJoin(`${database.url}?sslmode=no-verify`)).toBe(true);
  expect(await canJoin(database.otherUrl)).toBe(false);
});

it("lets an empty batch be completed in one transaction, too", async () => {
  const name = newName("empty");
  await database.query(`create table ${name} (id bigint)`);
  const job = defineJob({
    name,
    source: memorySource({ records: [1, 2, 3] }),
    pipeline: (records$) =>
      records$.pipe(
        filter(() => false),
        map(({ value }) => ({ id: value })),
      ),
    sink: postgresSink({ url: database.url, table: name }),
    checkpoint: database.url,
    trigger: "once",
  });
  expect(await runJob(job)).toMatchObject({ batches: 1, rows: 0 });
});

it("has its columns and key checked against the rows", () => {
  expectTypeOf(postgresSink({ url: "postgres://h/d", table: "t" })).toExtend<Sink<{ id: number }>>();
  const sink = postgresSink({ url: "postgres://h/d", table: "t", mode: "upsert", key: "id", columns: ["id", "at"] });
  expectTypeOf<typeof sink>().toExtend<Sink<{ id: number; at: Date }>>();
  const source = memorySource({ records: [1] });
  const options = { name: "typed", source, trigger: "once" } as const;
  defineJob({ ...options, pipeline: (records$) => records$.pipe(map(({ value }) => ({ id: value, at: 1 }))), sink });
  // @ts-expect-error there is no such property
  defineJob({ ...options, pipeline: (records$) => records$.pipe(map(({ value }) => ({ idd: value }))), sink });
  const any = postgresSink({ url: "postgres://h/d", table: "t" });
  // @ts-expect-error rows must be objects
  defineJob({ ...options, pipeline: (records$) => records$.pipe(map(({ value }) => value)), sink: any });
});
