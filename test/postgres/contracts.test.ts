// The contract suites on a real Postgres: the checkpoint store's and the sink's, in both modes.
import { afterAll, beforeAll } from "vitest";
import { postgresStore } from "../../checkpoints/postgres.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import type { Sink } from "../../runtime/index.ts";
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
