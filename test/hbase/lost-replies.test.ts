// A network that loses replies and requests between the store and a real HBase: whatever is repeated with the same
// token is there once, and nothing is lost.
import { afterAll, beforeAll, expect, it } from "vitest";
import { FAMILY } from "../../checkpoints/hbase/job-row.ts";
import { readEntries } from "../../checkpoints/hbase/read-log.ts";
import { OFFSETS_FAMILY, ShownOffsets } from "../../checkpoints/hbase/shown-offsets.ts";
import { takeOver } from "../../checkpoints/hbase/take-over.ts";
import { checkedAddress, type HBaseTable } from "../../connectors/hbase/client.ts";
import { RpcCluster } from "../../connectors/hbase/rpc-cluster.ts";
import { type Entry, type LogWriter, OutcomeUnknownError, TidemarkError } from "../../runtime/index.ts";
import { collect, entry, next } from "../contracts/checkpoint-store-bench.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { type LossyProxy, lossyProxy } from "../servers/lossy-proxy.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";

const APPENDS = 150;
const { signal } = new AbortController();

let test: TestCluster;
let proxy: LossyProxy;
let lossy: RpcCluster;
beforeAll(async () => {
  test = await testCluster();
  await test.cluster.ensureTable(test.table, [FAMILY], signal);
  await test.cluster.ensureTable(test.offsetsTable, [OFFSETS_FAMILY], signal);
  // Who serves hbase:meta serves everything here.
  const address = checkedAddress({ zookeeper: test.zookeeper });
  proxy = await lossyProxy(test.addresses.regionServerPort);
  lossy = new RpcCluster(address, () => ({ host: "127.0.0.1", port: proxy.port }));
}, serverStartTimeoutMs);
afterAll(async () => {
  await lossy[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

function begin(jobName: string): Promise<LogWriter> {
  const shownOffsets = new ShownOffsets(lossy.table(test.offsetsTable), jobName);
  return takeOver({ table: lossy.table(test.table), jobName, shownOffsets }, next("begin"), signal);
}

const positions = (offset: bigint) => [{ topic: "t", partition: 0, offset }];

async function shown(jobName: string): Promise<string | undefined> {
  const [from, until] = [`t:${jobName}:9`, `t:${jobName}:`].map((row) => Buffer.from(row));
  if (from === undefined || until === undefined) throw new Error("two rows");
  const range = { from, until, isReversed: true, limit: 1, family: OFFSETS_FAMILY };
  const [newest] = await test.cluster.table(test.offsetsTable).scan(range, signal);
  const value = newest?.cells[0]?.value;
  return value && Buffer.from(value).toString();
}

it("an append whose reply is lost is of unknown outcome; repeated, it is recognised, and shown", async () => {
  const job = newName("lost");
  await using writer = await begin(job);
  const mine = entry("mine");
  proxy.loseReply("Mutate");
  const append = () => writer.append(1n, mine, positions(7n), signal);
  await expect(append()).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await shown(job)).toBeUndefined();
  expect(await append()).toEqual({ is: "exists", entry: mine });
  expect(await shown(job)).toBe("7");
  expect(await writer.append(2n, entry("next"), positions(8n), signal)).toEqual({ is: "appended" });
  expect(await shown(job)).toBe("8");
});

it("an append that never arrived is of unknown outcome too, and is appended when it is repeated", async () => {
  const job = newName("lost");
  await using writer = await begin(job);
  const mine = entry("mine");
  proxy.loseRequest();
  await expect(writer.append(1n, mine, [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await writer.append(1n, mine, [], signal)).toEqual({ is: "appended" });
});

it("an append whose positions could not be shown is repeated until they are", async () => {
  const jobName = newName("lost");
  const real = test.cluster.table(test.offsetsTable);
  let failures = 0;
  const flaky: HBaseTable = {
    name: real.name,
    get: (...args) => real.get(...args),
    getRange: (...args) => real.getRange(...args),
    checkAndPut: (...args) => real.checkAndPut(...args),
    scan: (...args) => real.scan(...args),
    write: async (...args) => {
      if (++failures === 1) throw new OutcomeUnknownError("the table is away");
      await real.write(...args);
    },
  };
  const shownOffsets = new ShownOffsets(flaky, jobName);
  const table = test.cluster.table(test.table);
  await using writer = await takeOver({ table, jobName, shownOffsets }, next("begin"), signal);
  const mine = entry("mine");
  await expect(writer.append(1n, mine, positions(7n), signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await shown(jobName)).toBeUndefined();
  expect(await writer.append(1n, mine, positions(7n), signal)).toEqual({ is: "exists", entry: mine });
  expect(await shown(jobName)).toBe("7");
});

it("a take-over whose reply is lost is settled by the next one", async () => {
  const job = newName("lost");
  proxy.loseReply("Mutate");
  await expect(begin(job)).rejects.toBeInstanceOf(OutcomeUnknownError);
  await using writer = await begin(job);
  expect(await writer.append(2n, entry("next"), [], signal)).toEqual({ is: "appended" });
});

it(`${APPENDS} appends over a network that loses every fifth exchange are there once each, in order`, async () => {
  const job = newName("lossy");
  const { seed, random } = seedOf("hbase-lossy");
  await using writer = await begin(job);
  const appended: Entry[] = [];
  for (let seq = 1n; seq <= APPENDS; seq++) {
    const mine = entry(`entry ${seq}`);
    appended.push(mine);
    for (let isThere = false; !isThere; ) {
      const dice = numberBelow(random, 10);
      if (dice === 0) proxy.loseReply();
      if (dice === 1) proxy.loseRequest();
      try {
        const answer = await writer.append(seq, mine, positions(seq), signal);
        const isMine = answer.is === "exists" && answer.entry.token === mine.token;
        if (answer.is !== "appended" && !isMine) throw new Error(`TEST_SEED=${seed}: entry ${seq} is ${answer.is}`);
        isThere = true;
      } catch (error) {
        if (!(error instanceof TidemarkError) || !error.retryable) throw error;
      }
    }
  }
  expect(proxy.lost).toBeGreaterThan(APPENDS / 10);
  const entries = await collect(readEntries(test.cluster.table(test.table), job, 1n, signal));
  expect(entries.map((item) => item.entry)).toEqual(appended);
  expect(await shown(job)).toBe(`${APPENDS}`);
}, 60_000);
