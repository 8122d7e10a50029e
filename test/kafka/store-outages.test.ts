// A network that loses replies and requests between the store and a real broker, and a broker that freezes, dies and
// comes back: whatever is repeated with the same token is there once, nothing is lost, and two writers do not shut each
// other out for ever.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kafkaStore } from "../../checkpoints/kafka.ts";
import {
  type CheckpointStore,
  type Entry,
  type LogWriter,
  OutcomeUnknownError,
  TidemarkError,
} from "../../runtime/index.ts";
import { collect, entry, next } from "../contracts/checkpoint-store-bench.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { type OwnServer, ownKafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import { type LossyProxy, lossyProxy } from "../servers/lossy-proxy.ts";

const APPENDS = 60;
/** Two calls of some requests each, of a second at most. */
const FROZEN_CALLS_MS = 60_000;
/** How the request that ends a transaction begins: its number and version, as the protocol writes them. */
const END_TXN = "\u0000\u001a\u0000\u0005";
/** And the one that registers a producer. */
const INIT_PRODUCER_ID = "\u0000\u0016\u0000\u0004";
const { signal } = new AbortController();

let kafka: KafkaAddresses & OwnServer;
let proxy: LossyProxy;
beforeAll(async () => {
  kafka = await ownKafkaServer();
  proxy = await lossyProxy(kafka.proxiedPort, Number(kafka.proxiedBootstrap.split(":")[1]));
}, serverStartTimeoutMs);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await kafka[Symbol.asyncDispose]();
});

const newName = () => `lost-${randomBytes(5).toString("hex")}`;

function openThroughProxy(): CheckpointStore {
  return kafkaStore({ brokers: [kafka.proxiedBootstrap], requestTimeoutMs: 5_000 });
}

async function texts(store: CheckpointStore, job: string): Promise<string[]> {
  const there = await collect(store.read(job, 0n, signal));
  return there.map((each) => Buffer.from(each.entry.bytes).toString());
}

it("an append whose reply is lost is of unknown outcome, and is recognised when it is repeated", async () => {
  const job = newName();
  await using store = openThroughProxy();
  await using writer = await store.takeOver(job, next("begin"), signal);
  const mine = entry("mine");
  proxy.loseReply(END_TXN);
  const append = () => writer.append(1n, mine, [], signal);
  await expect(append()).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await append()).toEqual({ is: "exists", entry: mine });
  expect(await writer.append(2n, entry("next"), [], signal)).toEqual({ is: "appended" });
  expect(await texts(store, job)).toEqual(["begin", "mine", "next"]);
});

it("a take-over whose reply is lost is settled by taking over again", async () => {
  const job = newName();
  await using store = openThroughProxy();
  proxy.loseReply(END_TXN);
  await expect(store.takeOver(job, next("a beginning"), signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(await store.bounds(job, signal)).toEqual({ first: 0n, head: 0n });
  await using writer = await store.takeOver(job, next("another"), signal);
  expect(await writer.append(2n, entry("mine"), [], signal)).toEqual({ is: "appended" });
  expect(await texts(store, job)).toEqual(["a beginning", "another", "mine"]);
});

it("a writer that was overtaken while its reply was lost finds out without shutting the other out", async () => {
  const job = newName();
  await using store = openThroughProxy();
  await using stale = await store.takeOver(job, next("begin"), signal);
  const mine = entry("mine");
  proxy.loseReply(END_TXN);
  await expect(stale.append(1n, mine, [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  await using other = kafkaStore({ brokers: [kafka.bootstrap] });
  await using current = await other.takeOver(job, next("newer"), signal);
  expect(await stale.append(1n, mine, [], signal)).toEqual({ is: "exists", entry: mine });
  expect(await stale.append(2n, entry("stale"), [], signal)).toMatchObject({ is: "exists" });
  expect(await stale.append(3n, entry("stale"), [], signal)).toEqual({ is: "behind", head: 2n });
  expect(await current.append(3n, entry("current"), [], signal)).toEqual({ is: "appended" });
  expect(await texts(store, job)).toEqual(["begin", "mine", "newer", "current"]);
});

it("a writer that is overtaken just before its new producer shuts the other out appends nothing with it", async () => {
  const job = newName();
  await using store = openThroughProxy();
  await using stale = await store.takeOver(job, next("begin"), signal);
  const mine = entry("mine");
  proxy.loseReply(END_TXN);
  await expect(stale.append(1n, mine, [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  const waiting = proxy.hold(INIT_PRODUCER_ID);
  const repeated = stale.append(1n, mine, [], signal);
  const release = await waiting;
  await using other = kafkaStore({ brokers: [kafka.bootstrap] });
  await using current = await other.takeOver(job, next("newer"), signal);
  release();
  expect(await repeated).toEqual({ is: "exists", entry: mine });
  expect(await stale.append(2n, entry("stale"), [], signal)).toMatchObject({ is: "exists" });
  // Its producer was shut out, but the log is still its own.
  expect(await current.append(3n, entry("current"), [], signal)).toEqual({ is: "behind", head: 2n });
  expect(await current.append(3n, entry("current"), [], signal)).toEqual({ is: "appended" });
  expect(await texts(other, job)).toEqual(["begin", "mine", "newer", "current"]);
});

it(`loses and doubles none of ${APPENDS} entries when every other call loses something`, async () => {
  const { seed, random } = seedOf("kafka-lost-replies");
  const job = newName();
  await using store = openThroughProxy();
  const written: Entry[] = [];
  let writer = await begun(store, job, written);
  while (written.length < APPENDS) {
    const mine = entry(`entry ${written.length}`);
    const isThere = numberBelow(random, 10) > 0 && (await isAppended(writer, written, mine, random));
    if (isThere) written.push(mine);
    else writer = await begun(store, job, written);
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
  expect(proxy.lost).toBeGreaterThan(APPENDS / 4);
}, 120_000);

it("a call to a frozen broker ends within its time, and the same entry is there once when it thaws", async () => {
  const job = newName();
  await using store = kafkaStore({ brokers: [kafka.bootstrap], requestTimeoutMs: 1_000 });
  await using writer = await store.takeOver(job, next("begin"), signal);
  const mine = entry("mine");
  kafka.pause();
  try {
    const beganMs = performance.now();
    await expect(writer.append(1n, mine, [], signal)).rejects.toMatchObject({ retryable: true });
    await expect(store.bounds(job, signal)).rejects.toMatchObject({ retryable: true });
    expect(performance.now() - beganMs).toBeLessThan(FROZEN_CALLS_MS);
  } finally {
    kafka.resume();
  }
  for (let isThere = false; !isThere; ) {
    const answer = await writer.append(1n, mine, [], signal).catch(() => undefined);
    isThere = answer?.is === "appended" || (answer?.is === "exists" && answer.entry.token === mine.token);
  }
  expect(await texts(store, job)).toEqual(["begin", "mine"]);
}, 120_000);

it.each(["restart", "kill"] as const)(
  "goes on after the broker is gone (%s), with everything it had",
  async (how) => {
    const job = newName();
    await using store = kafkaStore({ brokers: [kafka.bootstrap], requestTimeoutMs: 5_000 });
    await using writer = await store.takeOver(job, next("begin"), signal);
    for (let seq = 1n; seq <= 10n; seq++) {
      expect(await writer.append(seq, entry(`${seq}`), [], signal)).toEqual({ is: "appended" });
    }
    if (how === "restart") await kafka.restart();
    else {
      await kafka.kill();
      await expect(store.bounds(job, signal)).rejects.toMatchObject({ retryable: true });
      await kafka.start();
    }
    expect(await store.bounds(job, signal)).toEqual({ first: 0n, head: 10n });
    await using later = await store.takeOver(job, next("again"), signal);
    expect(await later.append(12n, entry("12"), [], signal)).toEqual({ is: "appended" });
    expect((await texts(store, job)).slice(-3)).toEqual(["10", "again", "12"]);
  },
  120_000,
);

/** Begins a term, as often as it takes; what was begun or appended and not heard of is found in the log. */
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

/** As the journal does: repeats an append of unknown outcome; false: whatever else fails is for a new term. */
async function isAppended(
  writer: LogWriter,
  written: readonly Entry[],
  mine: Entry,
  random: () => number,
): Promise<boolean> {
  for (;;) {
    const fault = numberBelow(random, 6);
    if (fault === 0) proxy.loseReply();
    if (fault === 1) proxy.loseReply(END_TXN);
    if (fault === 2) proxy.loseRequest();
    if (fault === 3) proxy.cut();
    try {
      const answer = await writer.append(BigInt(written.length), mine, [], signal);
      if (answer.is === "exists") expect(answer.entry.token).toBe(mine.token);
      return answer.is !== "behind";
    } catch (error) {
      expect(error).toBeInstanceOf(TidemarkError);
      expect((error as TidemarkError).retryable).toBe(true);
      if (!(error instanceof OutcomeUnknownError)) return false;
    }
  }
}
