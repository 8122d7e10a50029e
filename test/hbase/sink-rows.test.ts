// What rows become in HBase, as its own client sees them, and whose cells win: a batch's timestamp is its own for ever,
// so that what an older attempt writes late changes nothing, and the batches after it are newer.
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BatchMarker, MARKER_FAMILY } from "../../connectors/hbase/batch-marker.ts";
import { hbaseSink } from "../../connectors/hbase/index.ts";
import { changesOf, type RowBlock } from "../../connectors/hbase/row-block.ts";
import { type Batch, ConfigError, type Sink } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";
import { startWitness, type Witness } from "./witness.ts";

const { signal } = new AbortController();
let test: TestCluster;
let witness: Witness;
beforeAll(async () => {
  test = await testCluster();
  witness = startWitness(test.addresses);
}, serverStartTimeoutMs);
afterAll(async () => {
  await witness[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

async function newTable(): Promise<string> {
  const table = newName("rows");
  await test.cluster.ensureTable(table, ["f"], signal);
  return table;
}

const batchOf = (lineageId: string, batchId: number): Batch => ({
  jobName: "rows",
  lineageId,
  batchId,
  planHash: `plan${batchId}`,
  ranges: [],
  signal,
});

const contextOf = (lineageId: string, epoch: bigint) => ({
  jobName: "rows",
  baseDir: ".",
  warn: () => undefined,
  lineageId,
  epoch,
});

/** Writes batches one after the other. */
async function writeBatches(sink: Sink<object>, ...batches: readonly (readonly object[])[]): Promise<void> {
  const lineageId = newName("lineage");
  await using writer = await sink.open(contextOf(lineageId, 0n), signal);
  for (const [batchId, rows] of batches.entries()) {
    const write = await writer.begin(batchOf(lineageId, batchId));
    if (write === "already-written") throw new Error("nobody else writes this lineage");
    await using open = write;
    const encoder = sink.encoder();
    for (const row of rows) encoder.add(row);
    const encoded = encoder.take();
    if (encoded !== undefined) await open.write(encoded);
    await open.commit();
  }
}

describe("values", () => {
  it("are text that hbase shell shows as one would type it", async () => {
    const table = await newTable();
    const row = {
      id: "a",
      text: "ü",
      whole: 42,
      part: 0.5,
      big: 2n ** 70n,
      yes: true,
      at: new Date(0),
      raw: Buffer.from("raw"),
      list: [1, "x"],
      nothing: undefined,
    };
    await writeBatches(hbaseSink({ url: `hbase://${test.zookeeper}/${table}`, row: "id" }) as Sink<object>, [row]);
    expect(await witness.row(table, "a")).toEqual([
      "f:at=1970-01-01T00:00:00.000Z",
      "f:big=1180591620717411303424",
      'f:list=[1,"x"]',
      "f:part=0.5",
      "f:raw=raw",
      "f:text=ü",
      "f:whole=42",
      "f:yes=true",
    ]);
  });

  it("that are null remove the cell, and undefined ones leave it; also twice in one batch", async () => {
    const table = await newTable();
    const sink = hbaseSink({ zookeeper: test.zookeeper, table, row: "id" }) as Sink<object>;
    const first = { id: 1, a: "1", b: "1", c: "1" };
    await writeBatches(
      sink,
      [first],
      [
        { id: 1, a: null, b: undefined, c: null },
        { id: 1, c: "2" },
      ],
    );
    expect(await witness.row(table, "1")).toEqual(["f:b=1", "f:c=2"]);
    await writeBatches(sink, [{ id: 1, a: "3" }]);
    expect(await witness.row(table, "1")).toEqual(["f:a=3", "f:b=1", "f:c=2"]);
  });

  it("that HBase would not take are refused with the row", () => {
    const encoder = hbaseSink({ zookeeper: "zk", table: "t", row: "id" }).encoder();
    const refused: [object, RegExp][] = [
      [{ a: 1 }, /key/],
      [{ id: null, a: 1 }, /key/],
      [{ id: "", a: 1 }, /0 bytes/],
      [{ id: "x".repeat(40_000), a: 1 }, /40000 bytes/],
      [{ id: true, a: 1 }, /key/],
      [{ id: 1 }, /nothing but its key/],
      [{ id: 1, a: () => 1 }, /column a/],
      [{ id: 1, a: [1n] }, /column a/],
      [{ id: 1, a: Buffer.alloc(11_000_000) }, /column a/],
    ];
    for (const [row, reason] of refused) expect(() => encoder.add(row as never)).toThrow(reason);
    expect(encoder.take()).toBeUndefined();
  });
});

describe("whose cells win", () => {
  it("what another lineage writes later wins, also where the clock of the first one's machine was ahead", async () => {
    const table = await newTable();
    const sink = hbaseSink({ zookeeper: test.zookeeper, table, row: "id" }) as Sink<object>;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      await writeBatches(sink, [{ id: "a", value: "first" }]);
    } finally {
      vi.useRealTimers();
    }
    await writeBatches(sink, [{ id: "a", value: "second" }]);
    expect(await witness.row(table, "a")).toEqual(["f:value=second"]);
  });

  it("what a frozen writer writes late is older than the batches after it", async () => {
    const table = await newTable();
    const sink = hbaseSink({ zookeeper: test.zookeeper, table, row: "id" }) as Sink<object>;
    const lineageId = newName("lineage");
    const blockOf = (value: string): RowBlock => {
      const encoder = sink.encoder();
      encoder.add({ id: "k", value });
      return encoder.take()?.data as RowBlock;
    };
    const commit = async (epoch: bigint, batchId: number, value: string) => {
      await using writer = await sink.open(contextOf(lineageId, epoch), signal);
      const write = await writer.begin(batchOf(lineageId, batchId));
      if (write === "already-written") return;
      await using open = write;
      await open.write({ rowCount: 1, data: blockOf(value) });
      await open.commit();
    };
    await commit(1n, 0, "zero");
    const range = { from: Buffer.from("k"), until: Buffer.alloc(0), limit: 1, family: "f" };
    const [written] = await test.cluster.table(table).scan(range, signal);
    const stampMs = written?.cells[0]?.stampMs ?? 0;
    await commit(2n, 1, "one");
    // The mutation of batch 0 that the frozen writer's machine had already sent.
    await test.cluster.table(table).write(changesOf([blockOf("zero")], "f", stampMs), signal);
    expect(await witness.row(table, "k")).toEqual(["f:value=one"]);
  });

  it("a batch that was broken off while it was written keeps its timestamp, and a later one's is greater", async () => {
    const name = newName("markers");
    await test.cluster.ensureTable(name, [MARKER_FAMILY], signal);
    const lineageId = newName("lineage");
    const opened = async (epoch: bigint) => {
      const marker = new BatchMarker(test.cluster.table(name), "rows", contextOf(lineageId, epoch));
      await marker.raise(signal);
      return marker;
    };
    const [first, second] = [batchOf(lineageId, 0), batchOf(lineageId, 1)];
    const dying = await opened(1n);
    expect(await dying.begin(first)).toEqual({ stampMs: undefined });
    const stampMs = await dying.stampFor(first, undefined);
    const rightful = await opened(2n);
    expect(await rightful.begin(first)).toEqual({ stampMs });
    expect(await rightful.stampFor(first, stampMs)).toBe(stampMs);
    await expect(dying.written(first, stampMs)).rejects.toMatchObject({ code: "SINK_FENCED", retryable: true });
    await rightful.written(first, stampMs);
    expect(await rightful.begin(first)).toBe("already-written");
    expect(await rightful.begin(second)).toEqual({ stampMs: undefined });
    expect(await rightful.stampFor(second, undefined)).toBeGreaterThan(stampMs);
  });
});

it("refuses options that cannot be right before anything connects", () => {
  const wrong: object[] = [
    {},
    { url: "hbase://zk/t", zookeeper: "zk", table: "t" },
    { url: "hbase://zk" },
    { url: "hbase://zk/t?family=f" },
    { url: "hbase://zk:99999/t" },
    { url: "http://zk/t" },
    { zookeeper: "zk", table: "a b" },
    { zookeeper: "zk", table: "t", family: "a:b" },
    { zookeeper: "zk", table: "t", row: "" },
    { zookeeper: "zk", table: "t", columns: [] },
    { zookeeper: "zk", table: "t", columns: ["a", "a"] },
  ];
  for (const each of wrong) {
    expect(() => hbaseSink({ row: "id", ...each } as never), JSON.stringify(each)).toThrow(ConfigError);
  }
});
