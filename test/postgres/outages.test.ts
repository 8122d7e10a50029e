// A Postgres that goes away while a job runs: the job waits, says so, and goes on; nothing is lost or doubled.
import { map } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../checkpoints/postgres.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import {
  defineJob,
  type JobEvent,
  mapAsync,
  OutcomeUnknownError,
  runJob,
  type TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import { type OwnServer, ownPostgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { PostgresAddresses } from "../servers/postgres/server.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";
import { closeGate } from "./gate.ts";

const RECORDS = 4_000;
const { signal } = new AbortController();

let server: PostgresAddresses & OwnServer;
let database: TestDatabase;
beforeAll(async () => {
  server = await ownPostgresServer();
  database = await testDatabase(server);
}, serverStartTimeoutMs);
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A job with eight batches whose records take a while, and what it tells. */
async function newJob(checkpoint: string, { storeTimeoutMs = 300_000 } = {}) {
  const name = newName("outage");
  await database.query(`create table ${name} (id bigint primary key)`);
  const job = defineJob({
    name,
    source: memorySource({ records: Array.from({ length: RECORDS }, (_, id) => id) }),
    pipeline: (records$) =>
      records$.pipe(
        mapAsync({ concurrency: 50 }, async (record) => {
          await new Promise((resolve) => setTimeout(resolve, 30));
          return record;
        }),
        map(({ value }) => ({ id: value })),
      ),
    sink: postgresSink({ url: database.url, table: name }),
    checkpoint,
    storeTimeoutMs,
    trigger: "available-now",
    maxOffsetsPerBatch: RECORDS / 8,
  });
  const events: JobEvent[] = [];
  const retries = () => events.flatMap((event) => (event.type === "retrying" ? [event.error as TidemarkError] : []));
  const completed = () => events.filter(({ type }) => type === "completed").length;
  const running = runJob(job, { onEvent: (event) => events.push(event) });
  running.catch(() => undefined);
  const isComplete = async () => {
    const counts = "count(*)::int as rows, min(id)::int as low, max(id)::int as high";
    expect(await database.query(`select ${counts} from ${name}`)).toEqual([
      { rows: RECORDS, low: 0, high: RECORDS - 1 },
    ]);
  };
  return { running, retries, completed, isComplete };
}

const checkpoints = [
  ["the same database", () => database.url],
  ["another database", () => database.otherUrl],
] as const;

it.each(checkpoints)(
  "goes on when the server is restarted in mid-run, checkpoint in %s",
  async (_, checkpoint) => {
    const { running, retries, completed, isComplete } = await newJob(checkpoint());
    for (const batches of [1, 4]) {
      await waitUntil(() => completed() >= batches, { what: "batches are completed", withinMs: 20_000, signal });
      const said = retries().length;
      await server.stop();
      await waitUntil(() => retries().length > said, { what: "the job says so", withinMs: 20_000, signal });
      await server.start();
    }
    expect(await running).toMatchObject({ reason: "nothing-left" });
    for (const error of retries()) expect(error.retryable).toBe(true);
    expect(
      retries()
        .map(({ message }) => message)
        .join("\n"),
    ).toContain("Postgres at 127.0.0.1:");
    await isComplete();
  },
  60_000,
);

it.each(checkpoints)(
  "goes on when the server is killed in mid-run, checkpoint in %s",
  async (_, checkpoint) => {
    const { running, retries, completed, isComplete } = await newJob(checkpoint());
    await waitUntil(() => completed() >= 2, { what: "batches are completed", withinMs: 20_000, signal });
    await server.kill();
    await waitUntil(() => retries().length > 0, { what: "the job says so", withinMs: 20_000, signal });
    await server.start();
    expect(await running).toMatchObject({ reason: "nothing-left" });
    await isComplete();
  },
  60_000,
);

it("goes on with what was under way when the server was frozen for a while", async () => {
  const { running, completed, isComplete } = await newJob(database.url);
  await waitUntil(() => completed() >= 2, { what: "batches are completed", withinMs: 20_000, signal });
  server.pause();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  server.resume();
  expect(await running).toMatchObject({ reason: "nothing-left" });
  await isComplete();
}, 60_000);

it("ends when the server is away for longer than storeTimeoutMs, and says which server and what to do", async () => {
  const { running, retries, completed } = await newJob(database.url, { storeTimeoutMs: 1_000 });
  await waitUntil(() => completed() >= 2, { what: "batches are completed", withinMs: 20_000, signal });
  await server.stop();
  const error = await running.catch((thrown: unknown) => thrown);
  await server.start();
  expect(error).toBeInstanceOf(TransientError);
  const hint = expect.stringContaining("start the job again when the server is back");
  expect(error).toMatchObject({ message: expect.stringContaining("Postgres at 127.0.0.1:"), hint });
  expect(retries().length).toBeGreaterThan(1);
}, 60_000);

describe("an append whose reply is lost", () => {
  const begin = (head: bigint) => ({ seq: head + 1n, entry: { token: "begin", bytes: new Uint8Array() } });

  it("is of unknown outcome, and is recognised when it is repeated", async () => {
    const job = newName("lost");
    await using store = postgresStore({ url: database.url });
    await using writer = await store.takeOver(job, begin, signal);
    await using gate = await closeGate({
      url: database.url,
      table: "tidemark.entries",
      when: `new.job = '${job}' and new.seq = 1`,
    });
    const entry = { token: "mine", bytes: Buffer.from("one") };
    const append = writer.append(1n, entry, [], signal);
    append.catch(() => undefined);
    await gate.reached();
    await database.admin(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'tidemark' and wait_event = 'advisory' and datname = current_database()`);
    await expect(append).rejects.toBeInstanceOf(OutcomeUnknownError);
    await gate.open();
    expect(await writer.append(1n, entry, [], signal)).toEqual({ is: "appended" });
    expect((await writer.append(1n, entry, [], signal)).is).toBe("exists");
  });

  it("was not sent when there is no connection, so that nothing was appended", async () => {
    const job = newName("away");
    await using store = postgresStore({ url: database.url });
    await using writer = await store.takeOver(job, begin, signal);
    await server.stop();
    const entry = { token: "mine", bytes: Buffer.from("one") };
    await expect(writer.append(1n, entry, [], signal)).rejects.toBeInstanceOf(TransientError);
    await server.start();
    expect(await writer.append(1n, entry, [], signal)).toEqual({ is: "appended" });
  });
});

it("says which setting ended the transaction of a batch whose pipeline was silent for too long", async () => {
  const name = newName("silent");
  await database.query(`create table ${name} (text text)`);
  const sink = postgresSink({ url: database.url, table: name, idleTimeoutMs: 100 });
  const lineageId = newName("lineage");
  await using writer = await sink.open(
    { jobName: name, baseDir: ".", warn: () => undefined, lineageId, epoch: 0n },
    signal,
  );
  const batch = { jobName: name, lineageId, batchId: 0, planHash: "plan", ranges: [], signal };
  const write = await writer.begin(batch);
  if (write === "already-written") throw new Error("nothing was written yet");
  await using open = write;
  const encoder = sink.encoder();
  // Enough to be sent at once.
  for (let row = 0; row < 5_000; row++) encoder.add({ text: "x".repeat(100) });
  const encoded = encoder.take();
  if (encoded !== undefined) await open.write(encoded);
  const sessions = "select 1 from pg_stat_activity where application_name like $1";
  const isOpen = async () => (await database.admin(sessions, [`tidemark ${lineageId.replace("_", "")}%`])).length > 0;
  await waitUntil(async () => !(await isOpen()), { what: "the session is ended", withinMs: 5_000, signal });
  const failure = await open.commit().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(TransientError);
  expect(failure).toMatchObject({ hint: expect.stringContaining("raise idleTimeoutMs of postgresSink") });
});

it("gives back the connection of a batch that is given up while its transaction is being opened", async () => {
  const name = newName("given_up");
  await database.query(`create table ${name} (text text)`);
  const sink = postgresSink({ url: database.url, table: name });
  const lineageId = newName("lineage");
  const context = { jobName: name, baseDir: ".", warn: () => undefined, lineageId, epoch: 1n };
  await using writer = await sink.open(context, signal);
  const write = await writer.begin({ jobName: name, lineageId, batchId: 0, planHash: "plan", ranges: [], signal });
  if (write === "already-written") throw new Error("nothing was written yet");
  const encoder = sink.encoder();
  // Enough to be sent at once.
  for (let row = 0; row < 5_000; row++) encoder.add({ text: "x".repeat(100) });
  const writing = write.write(encoder.take() ?? { rowCount: 0, data: [] });
  await write[Symbol.asyncDispose]();
  await expect(writing).rejects.toThrow("was given up");
  const sessions = "select 1 from pg_stat_activity where application_name like $1";
  expect(await database.admin(sessions, [`tidemark ${lineageId.replace("_", "")}%`])).toEqual([]);
});
