// Processes that are killed or frozen in the middle of a transaction, on a real Postgres: with the checkpoint in the
// rows' own database, where rows and entry are one transaction, and in another, where they are two.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { map } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../connectors/memory/index.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import { defineJob, runJob } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { JobProcess } from "../crash/job-process.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";
import { closeGate } from "./gate.ts";

/** Less than the time that a lock is waited for. */
const WITHOUT_WAITING_MS = 8_000;
const FENCED = { code: 3, signal: null };
const DONE = { code: 0, signal: null };
const TAKE_OVER = { args: ["--take-over"] };
const KILLS = 5;
/** A run's first batches take about so long from its first words on. */
const WORKS_FOR_MS = 150;
const { signal } = new AbortController();

let database: TestDatabase;
const folder = mkdtempSync(join(tmpdir(), "tidemark-postgres-"));
const jobFile = join(folder, "job.ts");

beforeAll(async () => {
  cpSync(new URL("numbers-job.ts", import.meta.url), jobFile);
  database = await testDatabase();
  await database.query("create table first (id bigint)");
  // Makes Tidemark's tables, to put gates on.
  for (const checkpoint of [database.url, database.otherUrl]) {
    await runJob(
      defineJob({
        name: "first",
        source: memorySource({ records: [1] }),
        pipeline: (records$) => records$.pipe(map(({ value }) => ({ id: value }))),
        sink: postgresSink({ url: database.url, table: "first" }),
        checkpoint,
        trigger: "once",
      }),
    );
  }
}, serverStartTimeoutMs);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database[Symbol.asyncDispose]();
});

interface Place {
  readonly name: string;
  readonly checkpoint: () => string;
  /** The last that the transaction with batch 0's rows writes before its commit. */
  readonly gate: { readonly table: string; readonly when: string };
}

const places: readonly Place[] = [
  {
    name: "with the checkpoint in the same database",
    checkpoint: () => database.url,
    // Entry 0 begins the term, 1 plans batch 0, 2 completes it.
    gate: { table: "tidemark.entries", when: "new.seq = 2" },
  },
  {
    name: "with the checkpoint in another database",
    checkpoint: () => database.otherUrl,
    gate: { table: "tidemark.batches", when: "new.batch_id = 0" },
  },
];

describe.each(places)("$name", ({ checkpoint, gate }) => {
  /** A job of its own and the table for its rows. */
  async function newJob() {
    const table = newName("numbers");
    await database.query(`create table ${table} (id bigint primary key, partition int, "offset" bigint, text text)`);
    const env = { JOB_NAME: table, ROWS_URL: database.url, ROWS_TABLE: table, CHECKPOINT_URL: checkpoint() };
    const rows = async () => Number((await database.query(`select count(*) from ${table}`))[0]?.["count"]);
    const isComplete = async () => {
      const counts = "count(*)::int as rows, count(distinct id)::int as ids, min(id)::int as low, max(id)::int as high";
      const wrong = `count(*) filter (where id <> "offset" * 4 + partition or text <> 'number ' || id)::int as wrong`;
      expect(await database.query(`select ${counts}, ${wrong} from ${table}`)).toEqual([
        { rows: 10_000, ids: 10_000, low: 0, high: 19_998, wrong: 0 },
      ]);
    };
    const closed = () => closeGate({ ...gate, url: database.url });
    return {
      start: (args: readonly string[] = []) => new JobProcess(jobFile, { env, args }),
      rows,
      isComplete,
      closed,
    };
  }

  it("shows no row of a batch whose process was killed before the commit, and writes each once later", async () => {
    const job = await newJob();
    await using closed = await job.closed();
    await using first = job.start();
    await closed.reached();
    await first.kill();
    expect(await job.rows()).toBe(0);
    await closed.open();
    await using second = job.start();
    expect(await second.ended(), second.stderr).toEqual(DONE);
    expect(second.stderr).toMatch(/batch 0 was not completed: it runs again over the same ranges/);
    await job.isComplete();
  }, 60_000);

  it("is not held up by the open transaction of a frozen process, which writes no row more when it wakes", async () => {
    const job = await newJob();
    await using closed = await job.closed();
    await using frozen = job.start();
    await closed.reached();
    frozen.send("SIGSTOP");
    await closed.open();
    await waitUntil(async () => (await openTransactions()) === 1, {
      what: "the frozen process's session waits for the commit",
      withinMs: 5_000,
      signal,
    });
    const beganMs = performance.now();
    await using second = job.start(TAKE_OVER.args);
    expect(await second.ended(), second.stderr).toEqual(DONE);
    expect(performance.now() - beganMs).toBeLessThan(WITHOUT_WAITING_MS);
    await job.isComplete();
    frozen.send("SIGCONT");
    expect(await frozen.ended(), frozen.stderr).toEqual(FENCED);
    await job.isComplete();
  }, 60_000);

  it("writes each row once however often it is killed, at any moment", async () => {
    const { seed, random } = seedOf("killed");
    const job = await newJob();
    for (let kill = 0; kill < KILLS; kill++) {
      await using killed = job.start();
      await killed.says(/./);
      await delay(numberBelow(random, WORKS_FOR_MS));
      await killed.kill();
    }
    await using last = job.start();
    expect(await last.ended(), `TEST_SEED=${seed}\n${last.stderr}`).toEqual(DONE);
    await job.isComplete();
  }, 60_000);
});

async function openTransactions(): Promise<number> {
  const found = await database.admin(`select 1 from pg_stat_activity where datname = current_database()
    and state = 'idle in transaction' and application_name ~ '^tidemark [0-9a-f]+ [0-9]+$'`);
  return found.length;
}
