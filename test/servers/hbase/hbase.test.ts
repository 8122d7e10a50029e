// The HBase that tests and people are given: HBase's own client finds what ours wrote and the other way round, and it
// comes back with everything that it acknowledged.
import { describe, expect, it } from "vitest";
import type { TestCluster } from "../../hbase/cluster.ts";
import { newName, testCluster } from "../../hbase/cluster.ts";
import { startWitness } from "../../hbase/witness.ts";
import { ownHbaseServer, serverStartTimeoutMs } from "../for-tests.ts";

const { signal } = new AbortController();

async function put({ cluster }: TestCluster, table: string, row: string): Promise<void> {
  const cell = { family: "f", qualifier: "q", stampMs: Date.now(), value: Buffer.from(`of ${row}`) };
  await cluster.table(table).write([{ row: Buffer.from(row), puts: [cell], removals: [] }], signal);
}

async function rowsOf({ cluster }: TestCluster, table: string): Promise<string[]> {
  const range = { from: Buffer.alloc(0), until: Buffer.alloc(0), limit: 100, family: "f" };
  return (await cluster.table(table).scan(range, signal)).map(({ row }) => Buffer.from(row).toString());
}

it(
  "is the same HBase for its own client and for ours",
  async () => {
    await using test = await testCluster();
    await using witness = startWitness(test.addresses);
    const table = newName("both");
    await witness.create(table, "m");
    await put(test, table, "a");
    await put(test, table, "z");
    expect(await witness.rows(table, "")).toEqual(["a", "z"]);
    expect(await witness.row(table, "z")).toEqual(["f:q=of z"]);
    await witness.deleteRow(table, "a");
    expect(await rowsOf(test, table)).toEqual(["z"]);
  },
  serverStartTimeoutMs,
);

describe.runIf(process.env["NIGHTLY"] !== undefined)("an HBase of one's own", () => {
  it(
    "keeps its address and what it acknowledged when it is restarted and when it is killed",
    async () => {
      await using own = await ownHbaseServer();
      await using test = await testCluster(own);
      const table = newName("kept");
      await test.cluster.ensureTable(table, ["f"], signal);
      await put(test, table, "before the restart");
      await own.restart();
      await using again = await testCluster(own);
      await put(again, table, "before the kill");
      await own.kill();
      await own.start();
      await using last = await testCluster(own);
      expect(await rowsOf(last, table)).toEqual(["before the kill", "before the restart"]);
    },
    serverStartTimeoutMs,
  );
});
