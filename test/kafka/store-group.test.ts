// The consumer group that a job's checkpoint in Kafka keeps true, as Kafka's own tool shows it.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type KafkaStoreOptions, kafkaStore } from "../../checkpoints/kafka.ts";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { TransactionalProducer } from "../../connectors/kafka/transactional-producer.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import {
  CheckpointMissingError,
  type CheckpointStore,
  ConfigError,
  defineJob,
  type Position,
  runJob,
  type Source,
} from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { BrokerTopics, message } from "./broker-topics.ts";
import { untilTransactionRests } from "./transaction-state.ts";

const RECORDS = 100;
const LINEAGE = "0123456789abcdef0123456789abcdef";
const ENTRIES = `entries-${randomBytes(5).toString("hex")}`;
const signal = AbortSignal.timeout(600_000);

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

const newName = () => `job-${randomBytes(6).toString("hex")}`;

function storeOf(options: Partial<KafkaStoreOptions> = {}): CheckpointStore {
  return kafkaStore({ brokers: [bootstrap], topic: ENTRIES, ...options });
}

async function filledTopic(): Promise<string> {
  const topic = await topics.create(2);
  await topics.produce(
    topic,
    Array.from({ length: RECORDS }, (_, at) => message(at % 2, `${at}`)),
  );
  return topic;
}

/** A source that counts how often it was asked to show the job's positions. */
function counted<R>(source: Source<R>) {
  const counts = { shown: 0 };
  const open: Source<R>["open"] = async (context, asked) => {
    const reader = await source.open(context, asked);
    const completed = reader.completed?.bind(reader);
    if (completed !== undefined) {
      reader.completed = async (...told) => {
        counts.shown++;
        await completed(...told);
      };
    }
    return reader;
  };
  return { counts, source: { ...source, open } };
}

async function run(name: string, topic: string, checkpoint: CheckpointStore) {
  const { counts, source } = counted(kafkaSource({ brokers: [bootstrap], topics: topic }));
  const options = { name, checkpoint, trigger: "available-now", maxOffsetsPerBatch: 30 } as const;
  await runJob(defineJob({ ...options, source, pipeline: (records$) => records$, sink: async () => undefined }));
  return counts;
}

/** What `kafka-consumer-groups --describe` shows: partition, offset, end, lag. */
async function describeGroup(group: string): Promise<string[]> {
  const args = ["--bootstrap-server", bootstrap, "--describe", "--group", group];
  const { stdout } = await runKafkaTool("consumer-groups", args, { signal });
  const rows = stdout.split("\n").filter((line) => line.startsWith(group));
  return rows.map((row) => row.split(/\s+/).slice(2, 6).join(" ")).sort();
}

async function committedOffsets(group: string): Promise<number[]> {
  await untilTransactionRests(bootstrap, `${ENTRIES}/${group}`);
  const [found] = await topics.admin.listConsumerGroupOffsets({ groups: [group] });
  return (found?.topics ?? []).flatMap(({ partitions }) => partitions.map((each) => Number(each.committedOffset)));
}

it("shows the right lag of every partition, and the source's own mirror stands aside", async () => {
  const topic = await filledTopic();
  const name = newName();
  await using store = storeOf();
  expect(await run(name, topic, store)).toEqual({ shown: 0 });
  await untilTransactionRests(bootstrap, `${ENTRIES}/${name}`);
  expect(await describeGroup(name)).toEqual(["0 50 50 0", "1 50 50 0"]);
  await topics.produce(topic, [message(0, "more"), message(0, "and more")]);
  expect(await describeGroup(name)).toEqual(["0 50 52 2", "1 50 50 0"]);
});

it("leaves the group to the source's mirror when it was told not to show it", async () => {
  const topic = await filledTopic();
  const name = newName();
  await using store = storeOf({ showsGroup: false });
  expect((await run(name, topic, store)).shown).toBeGreaterThan(0);
  expect(await committedOffsets(name)).toEqual([50, 50]);
});

it("stops at a group whose offsets others wrote, with the hint, and nothing of it is written over", async () => {
  const topic = await filledTopic();
  const name = newName();
  const strange = { partition: 0, offset: 4n };
  await topics.admin.alterConsumerGroupOffsets({
    groupId: name,
    topics: [{ name: topic, partitionOffsets: [strange] }],
  });
  await using store = storeOf();
  const failure = await run(name, topic, store).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConfigError);
  expect(failure).toMatchObject({ message: expect.stringContaining(name), hint: expect.stringMatching(/adoptGroup/) });
  expect(await committedOffsets(name)).toEqual([4]);
  await using adopting = storeOf({ adoptGroup: true });
  await run(name, topic, adopting);
  expect(await committedOffsets(name)).toEqual([50, 50]);
});

it("shows no positions of another log than this cluster's", async () => {
  const name = newName();
  await using store = storeOf();
  await runJob(
    defineJob({
      name,
      source: memorySource({ records: [1, 2, 3] }),
      pipeline: (records$) => records$,
      sink: async () => undefined,
      checkpoint: store,
      trigger: "available-now",
    }),
  );
  expect(await committedOffsets(name)).toEqual([]);
});

it("reads nothing when the job's entries are gone and its group shows that there were some", async () => {
  const topic = await filledTopic();
  const [name, entries] = [newName(), newName()];
  await using before = storeOf({ topic: entries });
  await run(name, topic, before);
  await topics.delete(entries);
  await using store = storeOf({ topic: entries });
  await expect(store.takeOver(name, next("begin"), signal, LINEAGE)).rejects.toThrow(CheckpointMissingError);
  const failure = await run(name, topic, store).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CheckpointMissingError);
  expect(failure).toMatchObject({ hint: expect.stringContaining(`--delete --group ${name}`) });
  expect(await store.bounds(name, signal)).toBeUndefined();
  await topics.admin.deleteGroups({ groups: [name] });
  await run(name, topic, store);
  expect(await committedOffsets(name)).toEqual([50, 50]);
});

it("does not move the group back when a writer that was overtaken wakes up", async () => {
  const topic = await filledTopic();
  const name = newName();
  await using store = storeOf();
  const topicInfo = await topics.admin.metadata({ topics: [topic] });
  const topicId = topicInfo.topics.get(topic)?.id ?? "";
  const at = (offset: bigint): Position[] => [{ topic, partition: 0, offset, mark: `${topicInfo.id}/${topicId}/0` }];
  await using stale = await store.takeOver(name, next("begin"), signal, LINEAGE);
  expect(stale.shows?.(at(10n))).toBe(true);
  expect(await stale.append(1n, entry("1"), at(10n), signal)).toEqual({ is: "appended" });
  await using current = await store.takeOver(name, next("begin"), signal, LINEAGE);
  expect(await current.append(3n, entry("3"), at(30n), signal)).toEqual({ is: "appended" });
  expect((await stale.append(2n, entry("stale"), at(20n), signal)).is).not.toBe("appended");
  expect(await committedOffsets(name)).toEqual([30]);
});

it("keeps offsets of the topics that are there when another one is gone", async () => {
  const [topic, gone] = [await filledTopic(), await filledTopic()];
  const name = newName();
  await using store = storeOf();
  const { id } = await topics.admin.metadata({ topics: [topic] });
  const mark = `${id}/00000000-0000-0000-0000-000000000000/0`;
  await topics.delete(gone);
  await using writer = await store.takeOver(name, next("begin"), signal, LINEAGE);
  const positions = [topic, gone].map((each) => ({ topic: each, partition: 1, offset: 7n, mark }));
  expect(await writer.append(1n, entry("1"), positions, signal)).toEqual({ is: "appended" });
  expect(await committedOffsets(name)).toEqual([7]);
});

it("makes offsets part of a transaction on older brokers too, and none of one that is given up", async () => {
  const topic = await filledTopic();
  const groupId = newName();
  await using client = await KafkaClient.open({ brokers: [bootstrap] }, "tests", signal);
  const transactionalId = `${ENTRIES}/${groupId}`;
  const options = { client, transactionalId, transactionTimeoutMs: 60_000, produceTimeoutMs: 10_000 };
  const producer = await TransactionalProducer.open({ ...options, brokersMayAddPartitions: false }, signal);
  const at = (offset: bigint) => ({ groupId, offsets: [{ topic, partition: 0, offset }], metadata: "m" });
  await producer.sendOffsets(at(3n), signal);
  await producer.commit(signal);
  expect(await committedOffsets(groupId)).toEqual([3]);
  await producer.sendOffsets(at(9n), signal);
  await producer.abort(signal);
  expect(await committedOffsets(groupId)).toEqual([3]);
});
