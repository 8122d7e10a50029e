// A network that loses replies and requests between the store and a real ZooKeeper: whatever is repeated with the same
// token is there once, and nothing is lost.
import { afterAll, beforeAll, expect, it } from "vitest";
import { zookeeperStore } from "../../checkpoints/zookeeper.ts";
import {
  type CheckpointStore,
  type Entry,
  type LogWriter,
  OutcomeUnknownError,
  type Position,
  TidemarkError,
} from "../../runtime/index.ts";
import { collect, entry, next } from "../contracts/checkpoint-store-bench.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { type LossyProxy, lossyProxy } from "../servers/lossy-proxy.ts";
import { newName, type TestEnsemble, testEnsemble } from "./ensemble.ts";

const APPENDS = 150;
const { signal } = new AbortController();

let ensemble: TestEnsemble;
let proxy: LossyProxy;
beforeAll(async () => {
  ensemble = await testEnsemble();
  proxy = await lossyProxy(Number(ensemble.servers.split(":")[1]));
}, serverStartTimeoutMs);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  ensemble[Symbol.dispose]();
});

function openThroughProxy(): CheckpointStore {
  return zookeeperStore({ servers: `127.0.0.1:${proxy.port}`, root: ensemble.root });
}

function positions(offset: bigint): Position[] {
  return [{ topic: "t", partition: 0, offset }];
}

it("an append whose reply is lost is of unknown outcome, and is recognised when it is repeated", async () => {
  const job = newName("lost");
  await using store = openThroughProxy();
  await using writer = await store.takeOver(job, next("begin"), signal);
  const mine = entry("mine");
  proxy.loseReply();
  const append = () => writer.append(1n, mine, [], signal);
  await expect(append()).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await append()).toEqual({ is: "exists", entry: mine });
  expect(await writer.append(2n, entry("next"), [], signal)).toEqual({ is: "appended" });
});

it("an append that never arrived is of unknown outcome too, and is appended when it is repeated", async () => {
  const job = newName("lost");
  await using store = openThroughProxy();
  await using writer = await store.takeOver(job, next("begin"), signal);
  const mine = entry("mine");
  proxy.loseRequest();
  await expect(writer.append(1n, mine, [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await writer.append(1n, mine, [], signal)).toEqual({ is: "appended" });
});

it("offsets are shown as the newest entry has them, also back where they were before a reply was lost", async () => {
  const job = newName("lost");
  await using store = openThroughProxy();
  await using writer = await store.takeOver(job, next("begin"), signal);
  expect(await writer.append(1n, entry("one"), positions(10n), signal)).toEqual({ is: "appended" });
  const mine = entry("mine");
  const append = () => writer.append(2n, mine, positions(20n), signal);
  proxy.loseReply();
  await expect(append()).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await append()).toEqual({ is: "exists", entry: mine });
  expect(await writer.append(3n, entry("three"), positions(10n), signal)).toEqual({ is: "appended" });
  expect(await ensemble.text(`/consumers/${job}/offsets/t/0`)).toBe("10");
});

it("a take-over whose reply is lost is settled by taking over again", async () => {
  const job = newName("lost");
  await using store = openThroughProxy();
  proxy.loseReply("a beginning");
  await expect(store.takeOver(job, next("a beginning"), signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await store.bounds(job, signal)).toEqual({ first: 0n, head: 0n });
  await using writer = await store.takeOver(job, next("another"), signal);
  expect(await writer.append(2n, entry("mine"), [], signal)).toEqual({ is: "appended" });
  const texts = (await collect(store.read(job, 0n, signal))).map((each) => Buffer.from(each.entry.bytes).toString());
  expect(texts).toEqual(["a beginning", "another", "mine"]);
});

it(`loses and doubles none of ${APPENDS} entries when every other call loses something`, async () => {
  const { seed, random } = seedOf("lost-replies");
  const job = newName("lost");
  await using store = openThroughProxy();
  const written: Entry[] = [];
  let writer = await begun(store, job, written);
  while (written.length < APPENDS) {
    const mine = entry(`entry ${written.length}`);
    const seq = BigInt(written.length);
    if (numberBelow(random, 10) === 0) writer = await begun(store, job, written);
    else if (await isAppended(writer, seq, mine, random)) written.push(mine);
  }
  const there = await collect(store.read(job, 0n, signal));
  expect(
    there.map(({ seq }) => seq),
    `TEST_SEED=${seed}`,
  ).toEqual(written.map((_, at) => BigInt(at)));
  expect(
    there.map((each) => each.entry.token),
    `TEST_SEED=${seed}`,
  ).toEqual(written.map(({ token }) => token));
  const shown = Number(await ensemble.text(`/consumers/${job}/offsets/t/0`));
  // The newest entry that is no beginning of a term.
  const last = written.findLastIndex(({ bytes }) => Buffer.from(bytes).toString().startsWith("entry"));
  expect(shown, `TEST_SEED=${seed}`).toBe(last);
  expect(proxy.lost).toBeGreaterThan(APPENDS / 4);
}, 60_000);

/** Begins a term, as often as it takes; what was begun and not heard of is found in the log. */
async function begun(store: CheckpointStore, job: string, written: Entry[]): Promise<LogWriter> {
  for (;;) {
    try {
      const writer = await store.takeOver(job, next("begin"), signal);
      const known = BigInt(written.length);
      for (const { entry: found } of await collect(store.read(job, known, signal))) written.push(found);
      return writer;
    } catch (error) {
      expect(error).toBeInstanceOf(TidemarkError);
    }
  }
}

/** Repeats one append until it is known to be there. */
async function isAppended(writer: LogWriter, seq: bigint, mine: Entry, random: () => number): Promise<boolean> {
  for (;;) {
    const fault = numberBelow(random, 6);
    if (fault === 0) proxy.loseReply();
    if (fault === 1) proxy.loseRequest();
    if (fault === 2) proxy.cut();
    try {
      const answer = await writer.append(seq, mine, positions(seq), signal);
      if (answer.is === "exists") expect(answer.entry.token).toBe(mine.token);
      else expect(answer.is).toBe("appended");
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(TidemarkError);
      expect((error as TidemarkError).retryable).toBe(true);
    }
  }
}
