// HBase 0.94 by the driver for its protocol: what the interface of a table promises, and a checkpoint that HBase's own
// client in Java reads back.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import type { HBaseCell, HBaseTable } from "../../connectors/hbase/client.ts";
import { ConfigError, type TidemarkError } from "../../runtime/index.ts";
import { collect, entry, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster094, testCluster094 } from "./cluster.ts";

const { signal } = new AbortController();

let test: TestCluster094;
let table: HBaseTable;
beforeAll(async () => {
  test = await testCluster094();
  table = test.cluster.table(test.rows);
}, serverStartTimeoutMs);
afterAll(() => test[Symbol.asyncDispose]());

function cell(qualifier: string, value: string, stampMs: number): HBaseCell {
  return { family: "f", qualifier, stampMs, value: Buffer.from(value) };
}

function shown(cells: readonly HBaseCell[]): string[] {
  return cells.map(({ qualifier, value, stampMs }) => `${qualifier}=${Buffer.from(value)}@${stampMs}`).sort();
}

async function failureOf(work: Promise<unknown>): Promise<TidemarkError | undefined> {
  return await work.then(
    () => undefined,
    (error: TidemarkError) => error,
  );
}

describe("a table", () => {
  it("is known to be one of a cluster of the old protocol", async () => {
    expect(test.cluster.protocol).toBe("0.94");
    await using store = hbaseStore(test);
    expect(await store.describe?.(signal)).toBe("HBase, protocol 0.94");
    expect(await test.cluster.hasTable(test.rows, signal)).toBe(true);
    expect(await test.cluster.hasTable(newName("none"), signal)).toBe(false);
  });

  it("puts cells under a condition: a value, or no cell", async () => {
    const row = newName("row");
    const isNew = { family: "f", qualifier: "head", expected: undefined };
    expect(await table.checkAndPut(row, isNew, [cell("head", "1", 1), cell("a", "x", 0)], signal)).toBe(true);
    expect(await table.checkAndPut(row, isNew, [cell("head", "2", 2)], signal)).toBe(false);
    const isOne = { ...isNew, expected: Buffer.from("1") };
    expect(await table.checkAndPut(row, isOne, [cell("head", "2", 2), cell("b", "ä", 7)], signal)).toBe(true);
    expect(await table.checkAndPut(row, isOne, [cell("head", "3", 3)], signal)).toBe(false);
    expect(shown(await table.get(row, "f", ["head", "a", "b", "c"], signal))).toEqual(["a=x@0", "b=ä@7", "head=2@2"]);
    expect(await table.get(newName("row"), "f", ["head"], signal)).toEqual([]);
  });

  it("gives a range of qualifiers, the lowest first", async () => {
    const row = newName("row");
    const puts = ["a", "b", "c", "d", "e"].map((each) => cell(each, each, 5));
    await table.write([{ row: Buffer.from(row), puts, removals: [] }], signal);
    const range = async (from: string, until: string, limit: number) =>
      (await table.getRange(row, { family: "f", from, until, limit }, signal)).map(({ qualifier }) => qualifier);
    expect(await range("b", "e", 10)).toEqual(["b", "c", "d"]);
    expect(await range("b", "e", 2)).toEqual(["b", "c"]);
    expect(await range("x", "y", 2)).toEqual([]);
  });

  it("writes and removes many rows at once, and an older timestamp does not win", async () => {
    const prefix = newName("many");
    const rowOf = (at: number) => Buffer.from(`${prefix}-${`${at}`.padStart(5, "0")}`);
    const changes = Array.from({ length: 1_200 }, (_, at) => ({
      row: rowOf(at),
      puts: [cell("v", `${at}`, 10), cell("w", "w", 10)],
      removals: [],
    }));
    await table.write(changes, signal);
    await table.write([{ row: rowOf(3), puts: [cell("v", "old", 9)], removals: [] }], signal);
    const removals = [{ family: "f", stampMs: 10 }];
    await table.write([{ row: rowOf(4), puts: [], removals }], signal);
    await table.write([{ row: rowOf(5), puts: [], removals: [{ family: "f", qualifier: "v", stampMs: 10 }] }], signal);
    const range = { from: rowOf(0), until: rowOf(9_999), family: "f", limit: 10_000 };
    const all = await table.scan(range, signal);
    expect(all).toHaveLength(1_199);
    expect(shown(all[3]?.cells ?? [])).toEqual(["v=3@10", "w=w@10"]);
    expect(Buffer.from(all[4]?.row ?? []).toString()).toBe(rowOf(5).toString());
    expect(shown(all[4]?.cells ?? [])).toEqual(["w=w@10"]);
    expect((await table.scan({ ...range, limit: 7 }, signal)).map(({ row }) => `${row}`)).toEqual(
      [0, 1, 2, 3, 5, 6, 7].map((at) => `${rowOf(at)}`),
    );
    const only = await table.scan({ ...range, limit: 6, qualifiers: ["v"] }, signal);
    expect(only.map(({ cells }) => shown(cells)[0])).toEqual([0, 1, 2, 3, 6, 7].map((at) => `v=${at}@10`));
  });

  it("is scanned in reverse from a row to another, both ends as they should be", async () => {
    const prefix = newName("reversed");
    const rows = ["a", "b", "c", "d"].map((each) => Buffer.from(`${prefix}-${each}`));
    await table.write(
      rows.map((row) => ({ row, puts: [cell("v", "v", 1)], removals: [] })),
      signal,
    );
    const scan = async (from: string, until: string, limit: number) => {
      const [high, low] = [Buffer.from(`${prefix}-${from}`), Buffer.from(`${prefix}-${until}`)];
      const range = { from: high, until: low, isReversed: true, family: "f", limit };
      return (await table.scan(range, signal)).map(({ row }) => `${Buffer.from(row)}`.slice(-1)).join("");
    };
    expect(await scan("c", "a", 10)).toBe("cb");
    expect(await scan("z", "", 3)).toBe("dcb");
    expect(await scan("d", "a", 1)).toBe("d");
  });

  it("that is not there, and a family that is not, are told with the command to type", async () => {
    const none = newName("none");
    const missing = await failureOf(test.cluster.table(none).get("r", "f", ["a"], signal));
    expect(missing).toBeInstanceOf(ConfigError);
    expect(missing?.hint).toContain(`create '${none}'`);
    const puts = [{ ...cell("a", "x", 1), family: "nope" }];
    const family = await failureOf(table.write([{ row: Buffer.from("r"), puts, removals: [] }], signal));
    expect(family).toBeInstanceOf(ConfigError);
    expect(family?.hint).toContain(`alter '${test.rows}'`);
    const made = await failureOf(test.cluster.ensureTable(none, ["f"], signal));
    expect(made).toBeInstanceOf(ConfigError);
    expect(made?.hint).toBe(`in hbase shell: create '${none}', {NAME => 'f', VERSIONS => 1}`);
  });
});

describe("a checkpoint", () => {
  it("is taken over, appended to, fenced and read back, and Java sees its offsets", async () => {
    const job = newName("job");
    await using store = hbaseStore(test);
    await using stale = await store.takeOver(job, next("begin"), signal);
    const positions = [0, 1].map((partition) => ({ topic: "orders", partition, offset: BigInt(5 + partition) }));
    expect(await stale.append(1n, entry("one"), positions, signal)).toEqual({ is: "appended" });
    await using current = await store.takeOver(job, next("taken over"), signal);
    expect((await stale.append(2n, entry("stale"), [], signal)).is).not.toBe("appended");
    expect(await current.append(3n, entry("three"), positions, signal)).toEqual({ is: "appended" });
    const texts = (await collect(store.read(job, 0n, signal))).map((each) => Buffer.from(each.entry.bytes).toString());
    expect(texts).toEqual(["begin", "one", "taken over", "three"]);
    expect(await store.bounds(job, signal)).toEqual({ first: 0n, head: 3n });
    const lines = await test.java(`table = new HTable(conf, "${test.offsetsTable}");
      scan = new Scan(Bytes.toBytes("orders:${job}:"), Bytes.toBytes("orders:${job};"));
      last = null;
      for (result : table.getScanner(scan)) last = result;
      text(bytes) { return Bytes.toString(bytes); }
      for (kv : last.raw()) System.out.println(text(kv.getQualifier()) + "=" + text(kv.getValue()));`);
    expect(lines).toEqual(["0=5", "1=6"]);
  });
});
