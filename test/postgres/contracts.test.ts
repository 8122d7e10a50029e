// The contract suites on a real Postgres: the checkpoint store's and the sink's, in both modes.
import { afterAll, beforeAll, expect, it } from "vitest";
import { postgresStore } from "../../checkpoints/postgres.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import type { Sink, SinkWriter } from "../../runtime/index.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
import { type SinkUnderTest, type SuiteRow, sinkContract } from "../contracts/sink.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

checkpointStoreContract({
  name: "Postgres",
  open: async () => postgresStore({ url: database.url }),
  newJobName: () => newName("job"),
});

const NO_NUL = ["\u0000"];

sinkContract({
  name: "Postgres, append",
  guarantee: "exactly-once",
  fences: true,
  refusedTexts: NO_NUL,
  create: () => tableUnderTest((url, table) => postgresSink({ url, table })),
});

sinkContract({
  name: "Postgres, upsert",
  guarantee: "exactly-once",
  fences: true,
  refusedTexts: NO_NUL,
  create: () => tableUnderTest((url, table) => postgresSink({ url, table, mode: "upsert", key: "id" })),
});

async function tableUnderTest(sinkOf: (url: string, table: string) => Sink<SuiteRow>): Promise<SinkUnderTest> {
  const table = newName("rows");
  await database.query(
    `create table ${table} (id integer primary key, text text, place bigint generated always as identity)`,
  );
  return {
    sink: sinkOf(database.url, table),
    readAll: () => database.query<{ id: number; text: string }>(`select id, text from ${table} order by place`),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

it("two replays, which have the same epoch, write a batch once", async () => {
  await using under = await tableUnderTest((url, table) => postgresSink({ url, table }));
  const { signal } = new AbortController();
  const lineageId = newName("lineage");
  const context = { jobName: "replay", baseDir: ".", warn: () => undefined, lineageId, epoch: 0n };
  const batch = { jobName: "replay", lineageId, batchId: 0, planHash: "plan", ranges: [], signal };
  const write = async (writer: SinkWriter, id: number) => {
    const begun = await writer.begin(batch);
    if (begun === "already-written") return begun;
    await using open = begun;
    const encoder = under.sink.encoder();
    encoder.add({ id, text: "row" });
    const encoded = encoder.take();
    if (encoded !== undefined) await open.write(encoded);
    await open.commit();
    return "written";
  };
  await using first = await under.sink.open(context, signal);
  await using second = await under.sink.open(context, signal);
  expect(await write(first, 1)).toBe("written");
  expect(await write(second, 2)).toBe("already-written");
  expect(await under.readAll()).toMatchObject([{ id: 1 }]);
});
