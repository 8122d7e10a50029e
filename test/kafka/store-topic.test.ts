// The entries topic over time: compacted, with transactions that were left open in it, and with entries as large as the
// store takes. Reading never waits for what nobody has committed.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { entryBatch } from "../../checkpoints/kafka/records.ts";
import { kafkaStore } from "../../checkpoints/kafka.ts";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { rawLogEnd, readRawLog } from "../../connectors/kafka/raw-log.ts";
import { TransactionalProducer } from "../../connectors/kafka/transactional-producer.ts";
import { collect, entry, heartbeat, next } from "../contracts/checkpoint-store-bench.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { transactionState } from "./transaction-state.ts";

const ENTRIES = 100;
const KEPT = 10;
/** Much longer than a reading takes, and much shorter than the transaction's timeout. */
const SOON_MS = 5_000;
const signal = AbortSignal.timeout(600_000);

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

const newName = (what: string) => `${what}-${randomBytes(5).toString("hex")}`;

/** How many records lie in the topic, whatever they are. */
async function recordsIn(topic: string): Promise<number> {
  await using client = await KafkaClient.open({ brokers: [bootstrap] }, "tests", signal);
  await client.metadata([topic], signal);
  const at = { topic, partition: 0 };
  const [from, until] = [
    await rawLogEnd(client, at, "earliest", signal),
    await rawLogEnd(client, at, "latest", signal),
  ];
  let count = 0;
  await readRawLog(client, at, { from, until, signal }, { record: () => void count++, ended: () => undefined });
  return count;
}

/** A producer of the job's transactional id as it is when its process freezes between the entry and the commit. */
async function leaveEntry(topic: string, jobName: string, seq: bigint): Promise<TransactionalProducer> {
  const client = await KafkaClient.open({ brokers: [bootstrap] }, "tests", signal);
  await client.metadata([topic], signal);
  const options = { client, transactionTimeoutMs: 60_000, produceTimeoutMs: 10_000, brokersMayAddPartitions: true };
  const producer = await TransactionalProducer.open({ ...options, transactionalId: `${topic}/${jobName}` }, signal);
  await producer.send([entryBatch(topic, jobName, { seq, entry: entry("left open") })], signal);
  await producer.settled(signal);
  return producer;
}

it("keeps every entry through compaction, and forgets what was pruned for good", async () => {
  // As eager as a topic can be: tombstones are removed as soon as they have been seen.
  const eager = { "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "0" };
  const topic = await topics.create(1, { "cleanup.policy": "compact", ...eager });
  const job = newName("job");
  await using store = kafkaStore({ brokers: [bootstrap], topic });
  await using writer = await store.takeOver(job, next("begin"), signal);
  const written = [];
  for (let seq = 1n; seq <= ENTRIES; seq++) {
    const item = { seq, entry: entry(`entry ${seq}`) };
    written.push(item);
    await writer.append(seq, item.entry, [], signal);
    if (seq % 20n === 0n) await writer.prune(seq - BigInt(KEPT), signal);
  }
  let beat = 0;
  const isCompacted = async () => {
    // The newest segment is never compacted: something must begin another.
    await writer.beat(heartbeat(0n, { beat: ++beat }), signal);
    return (await recordsIn(topic)) < ENTRIES / 2;
  };
  await waitUntil(isCompacted, { what: "the topic is compacted", withinMs: 60_000, signal, everyMs: 200 });
  await using fresh = kafkaStore({ brokers: [bootstrap], topic });
  for (const each of [store, fresh]) {
    expect(await collect(each.read(job, 0n, signal))).toEqual(written.slice(-KEPT - 1));
    expect((await each.heartbeat(job, signal))?.beat).toBe(beat);
  }
  expect(await writer.append(BigInt(ENTRIES) + 1n, entry("more"), [], signal)).toEqual({ is: "appended" });
});

it("reads past an entry that nobody has committed, and takes over at once from who left it", async () => {
  const topic = newName("entries");
  const job = newName("job");
  await using store = kafkaStore({ brokers: [bootstrap], topic });
  await using first = await store.takeOver(job, next("begin"), signal);
  await first.append(1n, entry("1"), [], signal);
  const frozen = await leaveEntry(topic, job, 2n);
  await using other = kafkaStore({ brokers: [bootstrap], topic });
  const beganMs = performance.now();
  expect(await other.bounds(job, signal)).toEqual({ first: 0n, head: 1n });
  expect(await other.jobs(signal)).toContain(job);
  await using writer = await other.takeOver(job, next("newer"), signal);
  expect(performance.now() - beganMs).toBeLessThan(SOON_MS);
  await expect(frozen.commit(signal)).rejects.toMatchObject({ retryable: true });
  expect(await writer.append(3n, entry("3"), [], signal)).toEqual({ is: "appended" });
  const texts = (await collect(other.read(job, 0n, signal))).map((each) => Buffer.from(each.entry.bytes).toString());
  expect(texts).toEqual(["begin", "1", "newer", "3"]);
});

it("does not wait for another job's open transaction", async () => {
  const topic = newName("entries");
  const [mine, theirs] = [newName("job"), newName("job")];
  await using store = kafkaStore({ brokers: [bootstrap], topic });
  await using writer = await store.takeOver(mine, next("begin"), signal);
  await leaveEntry(topic, theirs, 0n);
  const beganMs = performance.now();
  for (let seq = 1n; seq <= 5n; seq++) {
    expect(await writer.append(seq, entry(`${seq}`), [], signal)).toEqual({ is: "appended" });
    expect((await store.bounds(mine, signal))?.head).toBe(seq);
  }
  await using _ = await store.takeOver(mine, next("newer"), signal);
  expect(await store.jobs(signal)).toEqual([mine]);
  expect(performance.now() - beganMs).toBeLessThan(SOON_MS);
  expect(await transactionState(bootstrap, `${topic}/${theirs}`)).toBe("Ongoing");
});

it("takes an entry as large as it says", async () => {
  const topic = newName("entries");
  const job = newName("job");
  await using store = kafkaStore({ brokers: [bootstrap], topic });
  await using writer = await store.takeOver(job, next("begin"), signal);
  const large = { token: "t", bytes: new Uint8Array(randomBytes(store.maxEntryBytes)) };
  expect(await writer.append(1n, large, [], signal)).toEqual({ is: "appended" });
  const [there] = await collect(store.read(job, 1n, signal));
  expect(Buffer.compare(there?.entry.bytes ?? new Uint8Array(), large.bytes)).toBe(0);
});
