// An HDFS that goes away while a job runs: the job waits, says so, and goes on; nothing is lost or doubled. One that
// is frozen, in safe mode or without a DataNode is told as what it is, within the deadline.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { TransientError } from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { storeOutages } from "../contracts/store-outages.ts";
import { type OwnServer, ownHdfsServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runHdfsTool } from "../servers/hdfs/run-hdfs-shell.ts";
import type { HdfsAddresses } from "../servers/hdfs/server.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";
import { startNumbers } from "./numbers-job.ts";

const { signal } = new AbortController();

let server: HdfsAddresses & OwnServer;
let folder: TestFolder;
beforeAll(async () => {
  server = await ownHdfsServer();
  folder = await testFolder(server);
}, serverStartTimeoutMs);
afterAll(() => server[Symbol.asyncDispose]());

storeOutages({
  name: "HDFS, and its rows",
  server: () => server,
  start: async () => startNumbers(folder),
  label: () => `HDFS at ${new URL(server.http).host}`,
  isSoonLate: false,
});

describe("the store", () => {
  async function openWriter(timeoutMs = 5_000) {
    const store = hdfsStore({ url: folder.urlOf("store"), timeoutMs });
    const job = newName("job");
    const writer = await store.takeOver(job, next("begin"), signal);
    const append = () => writer.append(1n, mine, [], signal);
    const mine = entry("one");
    return { store, job, append, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  }

  it("says that HDFS is in safe mode, and goes on after it", async () => {
    await using writer = await openWriter();
    await runHdfsTool("dfsadmin", ["-safemode", "enter"], { server, signal });
    const failure = await writer.append().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransientError);
    expect(failure).toMatchObject({ hint: expect.stringContaining("hdfs dfsadmin -safemode get") });
    await runHdfsTool("dfsadmin", ["-safemode", "leave"], { server, signal });
    expect(await writer.append()).toEqual({ is: "appended" });
  });

  it("tells of a name node that does not answer within its deadline", async () => {
    await using writer = await openWriter(1_000);
    server.pause();
    try {
      const startedMs = performance.now();
      const failure = await writer.store.bounds(writer.job, signal).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(TransientError);
      expect(String(failure)).toContain(`HDFS at ${new URL(server.http).host}): no answer within 1000 ms`);
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    } finally {
      server.resume();
    }
    expect(await writer.store.bounds(writer.job, signal)).toEqual({ first: 0n, head: 0n });
  });

  it("appends nothing while there is no DataNode, never takes it for done, and goes on when there is one", async () => {
    await using writer = await openWriter();
    await server.kill("datanode");
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(writer.append()).rejects.toBeInstanceOf(TransientError);
    }
    expect(await writer.store.bounds(writer.job, signal)).toEqual({ first: 0n, head: 0n });
    await server.restart();
    expect(await writer.append()).toEqual({ is: "appended" });
  });
});
