// An HBase that goes away while a job runs, with its rows and its checkpoint in it: the job waits, says so, and goes
// on; nothing is lost or doubled.
import { afterAll, beforeAll, expect, it } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { TransientError } from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { storeOutages } from "../contracts/store-outages.ts";
import { type OwnServer, ownHbaseServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { HbaseAddresses } from "../servers/hbase/server.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";
import { startNumbers } from "./numbers-job.ts";

const isNight = process.env["NIGHTLY"] !== undefined;
const { signal } = new AbortController();
let server: HbaseAddresses & OwnServer;
let test: TestCluster;
beforeAll(async () => {
  server = await ownHbaseServer();
  test = await testCluster(server);
}, serverStartTimeoutMs);
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

storeOutages({
  name: "HBase",
  server: () => server,
  start: () => startNumbers(test),
  label: () => test.zookeeper,
  isSoonLate: false,
});

it("a job goes on with what was under way when the server was frozen for a while", async () => {
  const job = await startNumbers(test);
  await job.completed(2);
  server.pause();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  server.resume();
  await job.endsWell();
}, 60_000);

it.runIf(isNight)(
  "an append was not sent when there is no server, so that nothing was appended",
  async () => {
    const job = newName("away");
    await using store = hbaseStore(test);
    await using writer = await store.takeOver(job, next("begin"), signal);
    await server.kill();
    const mine = entry("one");
    // The connection is found gone by the first call at the latest, whose outcome may be unknown.
    await writer.append(1n, mine, [], signal).catch(() => undefined);
    await expect(writer.append(1n, mine, [], signal)).rejects.toBeInstanceOf(TransientError);
    await server.start();
    expect((await writer.append(1n, mine, [], signal)).is).toBe("appended");
  },
  120_000,
);
