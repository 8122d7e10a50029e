// Moving in from HBase: the customary table of Spark Streaming jobs, a row `topic:group:epochMs` a batch, the newest of
// which says where a new job starts. On a cluster of today and, at night, on one that speaks the protocol of 0.94.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { savedPositionsPlace } from "../../runtime/cli/saved-positions-place.ts";
import { newName, type TestCluster, testCluster } from "../hbase/cluster.ts";
import { testCluster094 } from "../hbase094/cluster.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";

const signal = AbortSignal.timeout(300_000);
const EPOCH_MS = 1_700_000_000_000;

type Used = Pick<TestCluster, "zookeeper" | "offsetsTable" | "cluster"> & AsyncDisposable;

describe("HBase 2", () => goesOnFrom(testCluster));
describe.skipIf(process.env["NIGHTLY"] === undefined)("HBase 0.94", () => goesOnFrom(testCluster094));

function goesOnFrom(connect: () => Promise<Used>): void {
  let hbase: Used;
  beforeAll(async () => {
    hbase = await connect();
    await hbase.cluster.ensureTable(hbase.offsetsTable, ["offsets"], signal);
  }, serverStartTimeoutMs);
  afterAll(() => hbase?.[Symbol.asyncDispose]());

  /** Writes a row as such jobs do. */
  async function put(row: string, cells: Readonly<Record<string, string>>): Promise<void> {
    const puts = Object.entries(cells).map(([qualifier, text]) => {
      return { family: "offsets", qualifier, stampMs: EPOCH_MS, value: Buffer.from(text) };
    });
    await hbase.cluster.table(hbase.offsetsTable).write([{ row: Buffer.from(row), puts, removals: [] }], signal);
  }

  async function read(query: string) {
    const place = await savedPositionsPlace(`hbase://${hbase.zookeeper}/${hbase.offsetsTable}?${query}`);
    return await place.read(signal);
  }

  it("takes the newest row of each topic", async () => {
    const group = newName("group");
    for (let batch = 0; batch < 250; batch++) {
      await put(`payments:${group}:${EPOCH_MS + batch}`, { 0: `${batch}`, 1: `${batch * 2}`, 10: "5" });
    }
    await put(`refunds:${group}:${EPOCH_MS}`, { 0: " 7\n" });
    const found = await read(`group=${group}&topic=payments&topic=refunds`);
    expect(found).toMatchObject({ nextBatchId: 0, inFlight: undefined });
    expect([...found.positions].sort((a, b) => Number(a.offset - b.offset))).toEqual([
      { topic: "payments", partition: 10, offset: 5n },
      { topic: "refunds", partition: 0, offset: 7n },
      { topic: "payments", partition: 0, offset: 249n },
      { topic: "payments", partition: 1, offset: 498n },
    ]);
  });

  it("does not take another group's rows, whose name begins alike", async () => {
    const group = newName("group");
    await put(`t:${group}:${EPOCH_MS}`, { 0: "1" });
    for (let batch = 0; batch < 120; batch++) await put(`t:${group}:5:${EPOCH_MS + batch}`, { 0: "2" });
    await put(`t:${group}x:${EPOCH_MS + 9}`, { 0: "3" });
    await put(`t:${group}:later:${EPOCH_MS + 9}`, { 0: "4" });
    const { positions } = await read(`group=${group}&topic=t`);
    expect(positions).toEqual([{ topic: "t", partition: 0, offset: 1n }]);
    const other = await read(`group=${encodeURIComponent(`${group}:5`)}&topic=t`);
    expect(other.positions).toEqual([{ topic: "t", partition: 0, offset: 2n }]);
  });

  it("refuses what is not there, and cells that are no offsets", async () => {
    const group = newName("group");
    await expect(read(`group=${group}&topic=t`)).rejects.toThrow(`has no row t:${group}:…`);
    await put(`t:${group}:${EPOCH_MS}`, { 0: "12x" });
    await expect(read(`group=${group}&topic=t`)).rejects.toThrow(/a cell that is no partition's offset: 0 = "12x"/);
    await put(`u:${group}:${EPOCH_MS}`, { note: "12" });
    await expect(read(`group=${group}&topic=u`)).rejects.toThrow(/no partition's offset: note = "12"/);
  });
}
