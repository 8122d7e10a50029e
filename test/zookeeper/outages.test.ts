// A ZooKeeper that goes away while its checkpoints are used: frozen, killed, restarted, gone for a while, wiped. A job
// waits and goes on by itself; nothing is lost or doubled, and nothing is begun anew by itself.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { zookeeperStore } from "../../checkpoints/zookeeper.ts";
import {
  CheckpointMissingError,
  ConfigError,
  doctor,
  OutcomeUnknownError,
  runJob,
  type TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import { collect, entry, next } from "../contracts/checkpoint-store-bench.ts";
import { storeOutages } from "../contracts/store-outages.ts";
import { type OwnServer, ownZookeeperServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { fourLetterWord } from "../servers/zookeeper/four-letter-word.ts";
import type { ZooKeeperAddresses } from "../servers/zookeeper/server.ts";
import { newName, witness } from "./ensemble.ts";
import { startNumbers } from "./numbers-job.ts";

const ROOT = "/outages";
const { signal } = new AbortController();

let server: ZooKeeperAddresses & OwnServer;
beforeAll(async () => {
  server = await ownZookeeperServer();
}, serverStartTimeoutMs);
afterAll(() => server[Symbol.asyncDispose]());

function openStore(callTimeoutMs = 1_000) {
  return zookeeperStore({ servers: server.servers, root: ROOT, callTimeoutMs });
}

// First of all, while no session of another test comes to its end: those are steps of the ensemble as well.
it("is caught up with before the log is read, by a step that the leader takes, whichever server answers", async () => {
  const job = newName("job");
  await using store = openStore();
  await using _writer = await store.takeOver(job, next("begin"), signal);
  const port = Number(server.servers.split(":")[1]);
  const steps = async () => {
    const [, zxid] = /^Zxid: (0x[0-9a-f]+)$/m.exec(await fourLetterWord(port, "srvr", signal)) ?? [];
    return BigInt(zxid ?? 0);
  };
  for (const read of [
    () => store.bounds(job, signal),
    () => collect(store.read(job, 0n, signal)),
    () => store.jobs(signal),
  ]) {
    const before = await steps();
    await read();
    expect(await steps()).toBe(before + 1n);
  }
});

storeOutages({
  name: "ZooKeeper",
  server: () => server,
  start: async () => startNumbers(server.servers, ROOT),
  label: () => `ZooKeeper at ${server.servers}`,
  isSoonLate: true,
});

describe("a job", () => {
  it("stops when its checkpoint is removed under it, and does not begin anew by itself", async () => {
    const { name, job, running, completed } = startNumbers(server.servers, ROOT);
    await completed(2);
    using look = await witness(server.servers);
    await look.removeAll(`${ROOT}/${name}`);
    await expect(running).rejects.toBeInstanceOf(CheckpointMissingError);
    const again = await runJob(job).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(again).toBeInstanceOf(CheckpointMissingError);
    expect(again).toMatchObject({ hint: expect.stringContaining(`deleteall /consumers/${name}/offsets`) });
    const findings = await doctor(job);
    expect(findings.map(({ detail }) => detail).join("\n")).toContain(`the checkpoint of ${name} is gone from ${ROOT}`);
    await look.removeAll(`/consumers/${name}`);
  }, 60_000);
});

describe("an append", () => {
  it("that a frozen server carries out late is there once, also when another has taken over meanwhile", async () => {
    const job = newName("job");
    await using mine = openStore(500);
    await using theirs = openStore(20_000);
    for (let round = 0; round < 4; round++) {
      await using stale = await mine.takeOver(job, next("begin"), signal);
      const { head = -1n } = (await mine.bounds(job, signal)) ?? {};
      const late = entry(`late ${round}`);
      server.pause();
      await expect(stale.append(head + 1n, late, [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
      const taking = theirs.takeOver(job, next(`taken ${round}`), signal);
      server.resume();
      await using current = await taking;
      const again = await stale.append(head + 1n, late, [], signal);
      const there = await collect(theirs.read(job, 0n, signal));
      const count = there.filter((each) => each.entry.token === late.token).length;
      expect(count).toBe(again.is === "exists" && again.entry.token === late.token ? 1 : 0);
      expect(there.map(({ seq }) => seq)).toEqual(there.map((_, at) => BigInt(at)));
      const next_ = BigInt(there.length);
      expect(await current.append(next_, entry("on"), [], signal)).toEqual({ is: "appended" });
      expect((await stale.append(next_ + 1n, entry("stale"), [], signal)).is).toBe("behind");
    }
  }, 60_000);

  it("finds the log as it was after the server has forgotten the session, and after a restart", async () => {
    const job = newName("job");
    await using store = openStore();
    await using writer = await store.takeOver(job, next("begin"), signal);
    for (const disturb of [() => server.restart(), () => server.kill().then(() => server.start())]) {
      const { head = -1n } = (await store.bounds(job, signal)) ?? {};
      await disturb();
      expect(await writer.append(head + 1n, entry("next"), [], signal)).toEqual({ is: "appended" });
    }
    expect((await collect(store.read(job, 0n, signal))).map(({ seq }) => seq)).toEqual([0n, 1n, 2n]);
  }, 60_000);

  it("is refused when the log was removed and made anew, though number and version fit", async () => {
    const job = newName("job");
    await using store = openStore();
    await using stale = await store.takeOver(job, next("begin"), signal);
    using look = await witness(server.servers);
    await look.removeAll(`${ROOT}/${job}`);
    await using current = await store.takeOver(job, next("anew"), signal);
    expect(await stale.append(1n, entry("stale"), [], signal)).toEqual({ is: "behind", head: 0n });
    expect(await current.append(1n, entry("mine"), [], signal)).toEqual({ is: "appended" });
  });

  it("was not sent when there is no server, so that nothing was appended", async () => {
    const job = newName("job");
    await using store = openStore();
    await using writer = await store.takeOver(job, next("begin"), signal);
    await server.stop();
    // The lost connection is noticed before that: the next call needs a new session.
    const failure = await writer.append(1n, entry("one"), [], signal).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransientError);
    await server.start();
    expect(await writer.append(1n, entry("one"), [], signal)).toEqual({ is: "appended" });
  }, 60_000);
});

it("says which user is refused when the password is another, and shows it nowhere", async () => {
  const job = newName("job");
  const root = `/${newName("private")}`;
  const open = (password: string) => zookeeperStore({ servers: server.servers, root, digest: { user: "u", password } });
  await using store = open("right-password");
  await using writer = await store.takeOver(job, next("begin"), signal);
  const shown = [{ topic: "t", partition: 0, offset: 3n }];
  expect(await writer.append(1n, entry("one"), shown, signal)).toEqual({ is: "appended" });
  await using other = open("wrong-password");
  for (const work of [
    () => other.bounds(job, signal),
    () => other.takeOver(job, next("begin"), signal),
    () => collect(other.read(job, 0n, signal)),
  ]) {
    const failure = await work().then(
      () => undefined,
      (error: TidemarkError) => error,
    );
    expect(failure).toBeInstanceOf(ConfigError);
    expect(`${failure?.message} ${failure?.hint}`).not.toMatch(/(right|wrong)-password/);
  }
  expect(other.url).toBe(`zookeeper://u@${server.servers}${root}`);
  // People's own tools read the offsets all the same.
  using look = await witness(server.servers);
  expect(await look.text(`/consumers/${job}/offsets/t/0`)).toBe("3");
  await using again = open("right-password");
  expect(await again.bounds(job, signal)).toEqual({ first: 0n, head: 1n });
  expect(await again.examine(signal)).toEqual([]);
});
