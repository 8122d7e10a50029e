// An HDFS with two name nodes while a job runs with its rows and its checkpoint there: another one becomes the active
// one, in good order and because the first is killed. Each record is there once.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { type OwnServer, ownHdfsPair, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { activeOf, type HdfsPairAddresses } from "../servers/hdfs/high-availability.ts";
import { runHdfsTool } from "../servers/hdfs/run-hdfs-shell.ts";
import { newName, testFolder } from "./folder.ts";
import { startNumbers } from "./numbers-job.ts";

const { signal } = new AbortController();

// For the night: an HDFS of two takes its time to start.
describe.skipIf(process.env["NIGHTLY"] === undefined)("an HDFS of two name nodes", () => {
  let pair: HdfsPairAddresses & OwnServer;
  beforeAll(async () => {
    pair = await ownHdfsPair();
  }, serverStartTimeoutMs);
  afterAll(() => pair[Symbol.asyncDispose]());

  const haadmin = (...args: string[]) => runHdfsTool("haadmin", args, { server: pair, signal });

  /** The active one, and the other. */
  async function roles() {
    const active = await activeOf(pair, signal);
    const standby = pair.nameNodes.find((each) => each !== active);
    if (active === undefined || standby === undefined) throw new Error("no name node is active");
    return { active, standby };
  }

  /** A folder, looked at by whoever is active. */
  function newFolder() {
    const http = async () => (await roles()).active.http;
    return testFolder({ ...pair, http });
  }

  it("is asked at the active one, whichever of them the URL names first", async () => {
    const job = newName("job");
    const { port } = (await roles()).standby;
    const others = pair.nameNodes.filter((each) => each.port !== port).map((each) => `127.0.0.1:${each.port}`);
    const url = pair.url.replace(/127[^/]*/, [`127.0.0.1:${port}`, ...others].join());
    await using store = hdfsStore({ url });
    await using writer = await store.takeOver(job, next("begin"), signal);
    expect(await writer.append(1n, entry("one"), [], signal)).toEqual({ is: "appended" });
    await using only = hdfsStore({ url: pair.url.replace(/127[^/]*/, `127.0.0.1:${port}`) });
    await expect(only.bounds(job, signal)).rejects.toMatchObject({
      retryable: true,
      hint: expect.stringContaining("hdfs haadmin -getAllServiceState"),
    });
  }, 60_000);

  it("carries a job on when the other becomes the active one, in good order", async () => {
    await using folder = await newFolder();
    const job = startNumbers(folder);
    await job.completed(2);
    const { active, standby } = await roles();
    await haadmin("-failover", active.id, standby.id);
    expect((await roles()).active).toBe(standby);
    await job.endsWell();
  }, 120_000);

  it("carries a job on when the active one is killed and the other takes its place", async () => {
    await using folder = await newFolder();
    const job = startNumbers(folder);
    await job.completed(2);
    const { active, standby } = await roles();
    await pair.kill(active.id);
    await job.saysSo();
    // Forced, for the other cannot be asked whether it is.
    await haadmin("-transitionToActive", "--forceactive", standby.id);
    await job.endsWell();
    expect(job.retries().join("\n")).toContain("HDFS at 127.0.0.1:");
  }, 120_000);
});
