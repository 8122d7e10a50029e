// An ensemble of three ZooKeepers while a job runs with its checkpoint there: its leader dies, too few are left, and
// the job's own server is the one that is cut off. Each record is there once.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { zookeeperStore } from "../../checkpoints/zookeeper.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { type OwnServer, ownZookeeperEnsemble, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { type EnsembleAddresses, leaderOf } from "../servers/zookeeper/ensemble.ts";
import { newName } from "./ensemble.ts";
import { startNumbers } from "./numbers-job.ts";

const ROOT = "/ensemble";
const NO_QUORUM_FOR_MS = 5_000;
const isNight = process.env["NIGHTLY"] !== undefined;
const { signal } = new AbortController();

/** Waits for one. */
async function leaderIn(ensemble: EnsembleAddresses): Promise<string> {
  let found: string | undefined;
  const isFound = async () => {
    found = await leaderOf(ensemble, signal);
    return found !== undefined;
  };
  await waitUntil(isFound, { what: "a member leads", withinMs: 30_000, signal });
  return found ?? "";
}

describe("an ensemble of three", () => {
  let ensemble: EnsembleAddresses & OwnServer;
  beforeAll(async () => {
    ensemble = await ownZookeeperEnsemble();
  }, serverStartTimeoutMs);
  afterAll(() => ensemble[Symbol.asyncDispose]());

  it.runIf(isNight)(
    "carries a job on when its leader is killed, and when no quorum is left for a while",
    async () => {
      const job = startNumbers(ensemble.servers, ROOT);
      await job.completed(2);
      const first = await leaderIn(ensemble);
      await ensemble.kill(first);
      const before = job.retries().length;
      await job.completed(4);
      const second = await leaderIn(ensemble);
      expect(second).not.toBe(first);
      await ensemble.kill(second);
      // One of three decides nothing.
      await waitUntil(() => job.retries().length > before, { what: "the job says so", withinMs: 30_000, signal });
      await new Promise((resolve) => setTimeout(resolve, NO_QUORUM_FOR_MS));
      await ensemble.restart();
      await job.endsWell();
      expect(job.retries().join("\n")).toContain(`ZooKeeper at ${ensemble.servers}`);
    },
    120_000,
  );

  it("tells of a log what its leader knows, whichever member is asked, and nothing without the leader", async () => {
    const job = newName("job");
    await using writing = zookeeperStore({ servers: ensemble.servers, root: ROOT });
    const first = await writing.takeOver(job, next("begin"), signal);
    const stores = ensemble.members.map(({ name, port }) => {
      return { name, store: zookeeperStore({ servers: `127.0.0.1:${port}`, root: ROOT, callTimeoutMs: 500 }) };
    });
    let head = 0n;
    for (const { store } of stores) {
      head++;
      expect(await first.append(head, entry(`${head}`), [], signal)).toEqual({ is: "appended" });
      expect(await store.bounds(job, signal)).toEqual({ first: 0n, head });
    }
    const leader = await leaderIn(ensemble);
    ensemble.pause(leader);
    try {
      // A member goes on answering for seconds, by what it knew last.
      const asked = stores.filter(({ name }) => name !== leader).map(({ store }) => store.bounds(job, signal));
      for (const { status } of await Promise.allSettled(asked)) expect(status).toBe("rejected");
    } finally {
      ensemble.resume();
    }
    const serves = async () => (await stores[0]?.store.bounds(job, signal).catch(() => undefined)) !== undefined;
    await waitUntil(serves, { what: "the ensemble serves again", withinMs: 30_000, signal });
    await using last = zookeeperStore({ servers: ensemble.servers, root: ROOT });
    await using _newer = await last.takeOver(job, next("another"), signal);
    expect(await first.append(head + 2n, entry("stale"), [], signal)).toMatchObject({ is: "behind" });
    await first[Symbol.asyncDispose]();
    for (const { store } of stores) await store[Symbol.asyncDispose]();
  }, 60_000);
});
