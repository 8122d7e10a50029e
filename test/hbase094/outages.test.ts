// An HBase 0.94 that is frozen or killed: no call waits for ever, and what comes after it goes on.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkedAddress, connectHBase, type HBaseCluster, type HBaseTable } from "../../connectors/hbase/client.ts";
import { OutcomeUnknownError, TransientError } from "../../runtime/index.ts";
import { type OwnServer, ownHbase094Server, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runBsh } from "../servers/hbase094/run-bsh.ts";
import type { Hbase094Addresses } from "../servers/hbase094/server.ts";
import { waitUntil } from "../servers/wait-until.ts";

/** A call waits 10 s for its reply, and a region is looked for 5 s long. */
const ENDS_WITHIN_MS = 20_000;
const { signal } = new AbortController();

describe.skipIf(process.env["NIGHTLY"] === undefined)("at night", () => {
  let server: Hbase094Addresses & OwnServer;
  let cluster: HBaseCluster;
  let table: HBaseTable;
  beforeAll(async () => {
    server = await ownHbase094Server();
    const make = `described = new HTableDescriptor("rows");
      described.addFamily(new HColumnDescriptor("f"));
      new HBaseAdmin(conf).createTable(described);`;
    await runBsh(server, make, signal);
    cluster = await connectHBase(checkedAddress({ zookeeper: server.zookeeper }), signal);
    table = cluster.table("rows");
  }, serverStartTimeoutMs);
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const isThere = { family: "f", qualifier: "v", expected: undefined };
  const put = async (row: string) =>
    await table.checkAndPut(
      row,
      isThere,
      [{ family: "f", qualifier: "v", stampMs: 1, value: Buffer.from("x") }],
      signal,
    );
  const read = async (row: string) => (await table.get(row, "f", ["v"], signal)).length;

  async function failureOf(work: Promise<unknown>): Promise<unknown> {
    const beganMs = performance.now();
    const failure = await work.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(performance.now() - beganMs).toBeLessThan(ENDS_WITHIN_MS);
    return failure;
  }

  it("of a call to a frozen server nobody knows, or it can be made again", async () => {
    expect(await put("before")).toBe(true);
    server.pause();
    const [write, reading] = await Promise.all([failureOf(put("frozen")), failureOf(read("before"))]);
    expect(write).toBeInstanceOf(OutcomeUnknownError);
    expect(reading).toBeInstanceOf(TransientError);
    expect((reading as TransientError).message).toContain(`HBase at ${server.zookeeper}, table rows`);
    server.resume();
    await put("frozen");
    expect(await read("frozen")).toBe(1);
  }, 60_000);

  it("goes on after the server was restarted, wherever its regions are then", async () => {
    await server.stop();
    expect(await failureOf(put("away"))).toBeInstanceOf(TransientError);
    await server.start();
    const goesOn = async () =>
      await put(`after ${performance.now()}`).catch((error: unknown) => {
        expect(error).toMatchObject({ retryable: true });
        return false;
      });
    await waitUntil(goesOn, { what: "a write is done", withinMs: 60_000, everyMs: 500, signal });
    expect(await read("before")).toBe(1);
  }, 200_000);

  it("ends calls that are under way when the server is killed, and those that come after it", async () => {
    const writes = Array.from({ length: 50 }, (_, at) => failureOf(put(`killed-${at}`)));
    await server.kill();
    for (const failure of await Promise.all(writes)) {
      if (failure !== undefined) expect(failure).toMatchObject({ retryable: true });
    }
    expect(await failureOf(put("away"))).toBeInstanceOf(TransientError);
  }, 60_000);
});
