// Jobs on threads into Postgres: their rows come in any order, and yet a row that is refused is traced to its record.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runJob } from "../../runtime/index.ts";
import { postgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { type ThreadsJobSettings, threadsJob } from "../unit/threads-job.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";

const jobFile = new URL("../unit/threads-job.ts", import.meta.url);
const PARTITIONS = 4;
const LINES = 20_000;

let database: TestDatabase;
let dir: string;
let table: string;
beforeAll(async () => {
  database = await testDatabase(await postgresServer());
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

beforeEach(async () => {
  table = newName("threads");
  await database.query(`create table ${table} (p integer, n integer, "offset" text)`);
  dir = mkdtempSync(join(tmpdir(), "tidemark-threads-"));
  mkdirSync(join(dir, "in"));
  for (let p = 0; p < PARTITIONS; p++) {
    const lines = Array.from({ length: LINES }, (_, n) => `${JSON.stringify({ p, n })}\n`);
    writeFileSync(join(dir, "in", `${p}.ndjson`), lines.join(""));
  }
  return () => rmSync(dir, { recursive: true, force: true });
});

function run(does: NonNullable<ThreadsJobSettings["does"]>) {
  const settings: ThreadsJobSettings = { dir, does, to: { url: database.url, table } };
  process.env["THREADS_JOB"] = JSON.stringify(settings);
  return runJob(threadsJob(settings), { threads: 2, jobFile });
}

test("each row is there once, and those of a partition are in order", async () => {
  expect(await run("rows")).toMatchObject({ rows: PARTITIONS * LINES });
  const found = await database.query(`select p, count(*)::int as rows, count(distinct n)::int as distinct,
    count(*) filter (where n < before)::int as disordered
    from (select p, n, lag(n) over (partition by p order by ctid) as before from ${table}) as rows
    group by p order by p`);
  const each = { rows: LINES, distinct: LINES, disordered: 0 };
  expect(found).toEqual(Array.from({ length: PARTITIONS }, (_, p) => ({ p, ...each })));
});

test("a row that is refused is told with the record that it came from", async () => {
  await database.query(`alter table ${table} add check (n < 1000000)`);
  await expect(run("a number too large there")).rejects.toThrow(/\(the pipeline gave this row at in:1:25\)$/);
});
