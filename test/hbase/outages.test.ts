// An HBase that goes away while a job runs, with its rows and its checkpoint in it: the job waits, says so, and goes
// on; nothing is lost or doubled.
import { afterAll, beforeAll, expect, it } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { TransientError } from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { type OwnServer, ownHbaseServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { HbaseAddresses } from "../servers/hbase/server.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";
import { allNumbers, startNumbers } from "./numbers-job.ts";

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

it("a job goes on when the server is killed in mid-run and comes back", async () => {
  const job = await startNumbers(test);
  await job.completed(2);
  await server.kill();
  await waitUntil(() => job.retries().length > 0, { what: "the job says so", withinMs: 30_000, signal });
  await server.start();
  expect(await job.running).toMatchObject({ reason: "nothing-left" });
  for (const error of job.retries()) expect(error.retryable).toBe(true);
  expect(job.retries().join("\n")).toContain(test.zookeeper);
  expect(await job.numbers()).toEqual(allNumbers);
}, 120_000);

it("a job goes on with what was under way when the server was frozen for a while", async () => {
  const job = await startNumbers(test);
  await job.completed(2);
  server.pause();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  server.resume();
  expect(await job.running).toMatchObject({ reason: "nothing-left" });
  expect(await job.numbers()).toEqual(allNumbers);
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

it.runIf(isNight)(
  "a job waits for a server that is frozen for half a minute",
  async () => {
    const job = await startNumbers(test);
    await job.completed(2);
    server.pause();
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    server.resume();
    expect(await job.running).toMatchObject({ reason: "nothing-left" });
    expect(job.retries().length).toBeGreaterThan(0);
    expect(await job.numbers()).toEqual(allNumbers);
  },
  180_000,
);
