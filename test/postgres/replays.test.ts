// Two replays of one job into one table, which have the same epoch: each batch is written once, also when both write it
// at the very same moment.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresSink } from "../../connectors/postgres/index.ts";
import type { JointRows } from "../../connectors/postgres/joint-rows.ts";
import { type BatchWrite, type SinkWriter, TransientError } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";

const { signal } = new AbortController();
let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

/** A table, two replays that are open, and what they write. */
async function replays() {
  const table = newName("rows");
  await database.query(`create table ${table} (id integer)`);
  const sink = postgresSink({ url: database.url, table });
  const lineageId = newName("lineage");
  const context = { jobName: "replay", baseDir: ".", warn: () => undefined, lineageId, epoch: 0n };
  const batch = { jobName: "replay", lineageId, batchId: 0, planHash: "plan", ranges: [], signal };
  const first = await sink.open(context, signal);
  const second = await sink.open(context, signal);
  return {
    first,
    second,
    /** The one batch with one row, not committed yet. */
    async begin(writer: SinkWriter, id: number): Promise<BatchWrite | "already-written"> {
      const begun = await writer.begin(batch);
      if (begun === "already-written") return begun;
      const encoder = sink.encoder();
      encoder.add({ id });
      await begun.write(encoder.take() ?? { rowCount: 0, data: [] });
      return begun;
    },
    rows: () => database.query(`select id from ${table}`),
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
}

function notYet(begun: BatchWrite | "already-written"): BatchWrite {
  if (begun === "already-written") throw new Error("nobody has committed it yet");
  return begun;
}

it("the later one skips what the earlier one has written", async () => {
  await using both = await replays();
  await using write = notYet(await both.begin(both.first, 1));
  await write.commit();
  expect(await both.begin(both.second, 2)).toBe("already-written");
  expect(await both.rows()).toEqual([{ id: 1 }]);
});

describe("one that has begun a batch while the other's is written, and not committed", () => {
  /** Holds the first before its commit, until the second waits for it. */
  async function holdFirst() {
    const both = await replays();
    const held = notYet(await both.begin(both.first, 1));
    const late = notYet(await both.begin(both.second, 2));
    const transaction = await (held.transaction as JointRows).seal(signal);
    const committing = late.commit().then(
      () => "committed",
      (error: unknown) => error,
    );
    const waiting = `select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like 'update%batches%'`;
    const waits = async () => (await database.admin(waiting)).length === 1;
    await waitUntil(waits, { what: "the second waits for the first", withinMs: 10_000, signal });
    return { both, transaction, committing };
  }

  it("writes nothing when the other is committed, and finds that out when it tries again", async () => {
    const { both, transaction, committing } = await holdFirst();
    await using open = both;
    await transaction.commit("commit the first", signal);
    const refused = await committing;
    expect(await both.rows()).toEqual([{ id: 1 }]);
    expect(refused).toBeInstanceOf(TransientError);
    expect(refused).toMatchObject({ message: expect.stringContaining("at the same time"), code: "SINK_BUSY" });
    expect(await open.begin(open.second, 3)).toBe("already-written");
  });

  it("writes its own when the other is rolled back", async () => {
    const { both, transaction, committing } = await holdFirst();
    await using open = both;
    await transaction.rollback();
    expect(await committing).toBe("committed");
    expect(await open.rows()).toEqual([{ id: 2 }]);
  });
});
