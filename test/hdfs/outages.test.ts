// An HDFS that goes away while a job runs: the job waits, says so, and goes on; nothing is lost or doubled. One that
// is frozen, in safe mode or without a DataNode is told as what it is, within the deadline.
import { map } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { hdfsSink } from "../../connectors/hdfs/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, type JobEvent, mapAsync, runJob, type TidemarkError, TransientError } from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { type OwnServer, ownHdfsServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runHdfsTool } from "../servers/hdfs/run-hdfs-shell.ts";
import type { HdfsAddresses } from "../servers/hdfs/server.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";

const RECORDS = 2_000;
const { signal } = new AbortController();

let server: HdfsAddresses & OwnServer;
let folder: TestFolder;
beforeAll(async () => {
  server = await ownHdfsServer();
  folder = await testFolder(server);
}, serverStartTimeoutMs);
afterAll(() => server[Symbol.asyncDispose]());

/** A job with eight batches whose records take a while, and what it tells. */
function newJob() {
  const name = newName("outage");
  const job = defineJob({
    name,
    source: memorySource({ records: Array.from({ length: RECORDS }, (_, id) => id) }),
    pipeline: (records$) =>
      records$.pipe(
        mapAsync({ concurrency: 50 }, async (record) => {
          await new Promise((resolve) => setTimeout(resolve, 40));
          return record;
        }),
        map(({ value }) => ({ id: value })),
      ),
    sink: hdfsSink({ url: folder.urlOf(`${name}-out`), compactAfterFiles: 3, timeoutMs: 3_000 }),
    checkpoint: hdfsStore({ url: folder.urlOf("store"), timeoutMs: 3_000 }),
    trigger: "available-now",
    maxOffsetsPerBatch: RECORDS / 8,
  });
  const events: JobEvent[] = [];
  const retries = () => events.flatMap((event) => (event.type === "retrying" ? [event.error as TidemarkError] : []));
  const completed = () => events.filter(({ type }) => type === "completed").length;
  const running = runJob(job, { onEvent: (event) => events.push(event) });
  running.catch(() => undefined);
  const isComplete = async () => {
    const printed = await runHdfsTool("dfs", ["-cat", `${folder.path}/${name}-out/[0-9]*`], { server, signal });
    const ids = printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(Array.from({ length: RECORDS }, (_, id) => id));
  };
  return { running, retries, completed, isComplete };
}

describe("a job with its rows and its checkpoint in HDFS", () => {
  it("goes on when HDFS is killed and started again in mid-run", async () => {
    const { running, retries, completed, isComplete } = newJob();
    await waitUntil(() => completed() >= 2, { what: "batches are completed", withinMs: 30_000, signal });
    await server.kill();
    await waitUntil(() => retries().length > 0, { what: "the job says so", withinMs: 20_000, signal });
    await server.start();
    expect(await running).toMatchObject({ reason: "nothing-left" });
    for (const error of retries()) expect(error.retryable).toBe(true);
    expect(
      retries()
        .map(({ message }) => message)
        .join("\n"),
    ).toContain("HDFS at 127.0.0.1:");
    await isComplete();
  }, 120_000);

  it.skipIf(process.env["NIGHTLY"] === undefined)(
    "goes on when HDFS is frozen for longer than its deadline",
    async () => {
      const { running, retries, completed, isComplete } = newJob();
      await waitUntil(() => completed() >= 2, { what: "batches are completed", withinMs: 30_000, signal });
      server.pause();
      try {
        await waitUntil(() => retries().length > 0, { what: "the job says so", withinMs: 20_000, signal });
      } finally {
        server.resume();
      }
      expect(await running).toMatchObject({ reason: "nothing-left" });
      await isComplete();
    },
    120_000,
  );
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
