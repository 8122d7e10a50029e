// Moving in from a consumer group: what another program committed is where a new job starts; a group in use, or without
// offsets, is refused; and what was imported is of that very log, not of one of the same name.
import { randomBytes } from "node:crypto";
import { Consumer } from "@platformatic/kafka";
import { map, type Observable } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kafkaStore } from "../../checkpoints/kafka.ts";
import { memoryStore } from "../../checkpoints/memory.ts";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { kafkaGroup, kafkaSource } from "../../connectors/kafka/index.ts";
import { TransactionalProducer } from "../../connectors/kafka/transactional-producer.ts";
import { memorySink } from "../../connectors/memory/index.ts";
import { savedPositionsPlace } from "../../runtime/cli/saved-positions-place.ts";
import { type CheckpointStore, defineJob, importCheckpoint, runJob, text } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

function newGroup(): string {
  return `group-${randomBytes(6).toString("hex")}`;
}

/** A topic whose records say `partition:offset`. */
async function topicOf(...counts: readonly number[]): Promise<string> {
  const topic = await topics.create(counts.length);
  await fill(topic, ...counts);
  return topic;
}

async function fill(topic: string, ...counts: readonly number[]): Promise<void> {
  const messages = counts.flatMap((count, partition) =>
    Array.from({ length: count }, (_, offset) => message(partition, `${partition}:${offset}`)),
  );
  await topics.produce(topic, messages);
}

async function commit(groupId: string, topic: string, ...offsets: readonly (bigint | undefined)[]): Promise<void> {
  const partitionOffsets = offsets.flatMap((offset, partition) =>
    offset === undefined ? [] : [{ partition, offset }],
  );
  await topics.admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] });
}

function copyJob(topic: string, checkpoint: CheckpointStore = memoryStore(), name = "moved-in") {
  const sink = memorySink<string>();
  const job = defineJob({
    ...({ name, checkpoint, trigger: "available-now", sink } as const),
    source: kafkaSource({ brokers: [bootstrap], topics: topic, value: text(), mirrorOffsetsToGroup: false }),
    pipeline: (records$: Observable<{ value: string }>) => records$.pipe(map(({ value }) => value)),
  });
  return { job, sink };
}

function groupOf(groupId: string) {
  return kafkaGroup({ brokers: [bootstrap], groupId });
}

it("goes on where Kafka's own console consumer stopped: each record once", { timeout: 60_000 }, async () => {
  const topic = await topicOf(20, 10);
  const group = newGroup();
  const reading = ["--bootstrap-server", bootstrap, "--topic", topic, "--group", group, "--from-beginning"];
  const { stdout } = await runKafkaTool("console-consumer", [...reading, "--max-messages", "13"], { signal });
  const read = stdout.trimEnd().split("\n");
  expect(read).toHaveLength(13);

  const { job, sink } = copyJob(topic);
  const from = await savedPositionsPlace(`kafka://${bootstrap}?group=${group}`);
  await importCheckpoint(job, { from, execute: true, signal });
  await runJob(job, { signal });
  expect([...read, ...sink.rows].sort()).toEqual(
    [20, 10].flatMap((count, partition) => Array.from({ length: count }, (_, at) => `${partition}:${at}`)).sort(),
  );
});

it("takes of a group what the job reads; partitions without an offset begin at the earliest", async () => {
  const topic = await topicOf(5, 5, 5);
  const other = await topicOf(5);
  const group = newGroup();
  await commit(group, topic, 4n, undefined, 0n);
  await commit(group, other, 2n);
  const { job, sink } = copyJob(topic);
  const { notes, positions } = await importCheckpoint(job, { from: groupOf(group), execute: true, signal });
  expect(positions).toMatchObject([
    { partition: 0, offset: 4n, latest: 5n, lag: 1n },
    { partition: 2, offset: 0n, lag: 5n },
  ]);
  expect(notes).toEqual([
    `left out, for the job does not read it: ${other}`,
    `nothing is saved for ${topic}:1: read from the earliest offset`,
  ]);
  await runJob(job, { signal });
  expect([...sink.rows].sort()).toEqual(["0:4", "1:0", "1:1", "1:2", "1:3", "1:4", "2:0", "2:1", "2:2", "2:3", "2:4"]);
});

it("a job with the group's own name takes its offsets over, when told to", async () => {
  const topic = await topicOf(5, 5);
  const group = newGroup();
  await commit(group, topic, 2n, 4n);
  const to = `kafka://${bootstrap}/entries-${group}`;
  const imported = (url: string) =>
    importCheckpoint(group, {
      from: kafkaGroup(`kafka://${bootstrap}?group=${group}`),
      to: url,
      execute: true,
      signal,
    });
  await expect(imported(to)).rejects.toMatchObject({ hint: expect.stringContaining("?adoptGroup=true") });
  await imported(`${to}?adoptGroup=true`);
  await using store = kafkaStore(to);
  const { job, sink } = copyJob(topic, store, group);
  await runJob(job, { signal });
  expect([...sink.rows].sort()).toEqual(["0:2", "0:3", "0:4", "1:4"]);
  const [found] = await topics.admin.listConsumerGroupOffsets({ groups: [group] });
  const offsets = found?.topics.flatMap(({ partitions }) => partitions.map((each) => Number(each.committedOffset)));
  expect(offsets).toEqual([5, 5]);
});

it("refuses a group that is in use", async () => {
  const topic = await topicOf(5);
  const groupId = newGroup();
  await commit(groupId, topic, 2n);
  const consumer = new Consumer({ clientId: "other-program", bootstrapBrokers: [bootstrap], groupId });
  try {
    consumer.topics.trackAll(topic);
    await consumer.joinGroup({});
    const refused = importCheckpoint(copyJob(topic).job, { from: groupOf(groupId), execute: true, signal });
    await expect(refused).rejects.toThrow(`the consumer group "${groupId}" is in use`);
    await consumer.leaveGroup();
  } finally {
    await consumer.close(true);
  }
  const from = groupOf(groupId);
  expect(await importCheckpoint(copyJob(topic).job, { from, execute: true, signal })).toMatchObject({
    positions: [{ offset: 2n }],
  });
});

it("waits for offsets that are in an open transaction, and takes them as they are when it has ended", async () => {
  const topic = await topicOf(5);
  const group = newGroup();
  await commit(group, topic, 1n);
  await using client = await KafkaClient.open({ brokers: [bootstrap] }, "other-program", signal);
  await client.metadata([topic], signal);
  const [transactionalId, timeouts] = [group, { transactionTimeoutMs: 60_000, produceTimeoutMs: 10_000 }];
  const producer = await TransactionalProducer.open(
    { client, transactionalId, ...timeouts, brokersMayAddPartitions: true },
    signal,
  );
  const offsets = [{ topic, partition: 0, offset: 4n }];
  await producer.sendOffsets({ groupId: group, offsets, metadata: "" }, signal);
  let isDone = false;
  const imported = importCheckpoint(copyJob(topic).job, { from: groupOf(group), execute: true, signal }).finally(() => {
    isDone = true;
  });
  // Long enough for an import that does not wait: the others in this file take a tenth of it.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(isDone).toBe(false);
  await producer.commit(signal);
  expect(await imported).toMatchObject({ positions: [{ offset: 4n }] });
});

it("refuses a group that has no offsets, and an offset that the log does not hold", async () => {
  const topic = await topicOf(5);
  const group = newGroup();
  const imported = () => importCheckpoint(copyJob(topic).job, { from: groupOf(group), execute: true, signal });
  await expect(imported()).rejects.toThrow(`the consumer group "${group}" has no offsets`);
  await commit(group, topic, 2n);
  await topics.deleteRecordsBefore(topic, 0, 3n);
  await expect(imported()).rejects.toThrow(/does not hold what is to be read first.*the log begins at 3 now/);
});

it("knows the log that it imported from: a topic made anew since is not read in its place", async () => {
  const topic = await topicOf(5);
  const group = newGroup();
  await commit(group, topic, 2n);
  const store = memoryStore();
  // Only the job's name is given: what the group's cluster says of the topic is all that is known.
  await importCheckpoint("moved-in", { from: groupOf(group), to: store, execute: true, signal });
  await topics.delete(topic);
  await topics.create(1, {}, topic);
  await fill(topic, 5);
  await expect(runJob(copyJob(topic, store).job, { signal })).rejects.toThrow(/deleted and created again/);
});

it("says which option is wrong, without connecting", () => {
  expect(() => kafkaGroup({ brokers: [bootstrap], groupId: "" })).toThrow("which consumer group?");
  expect(() => kafkaGroup("kafka://h:9092?group=g&tsl=true")).toThrow('has no parameter "tsl"');
  expect(() => kafkaGroup("kafka://h:9092/x?group=g")).toThrow("names one group");
  expect(() => kafkaGroup("kafka://h:9092")).toThrow("names one group");
  expect(() => kafkaGroup({ brokers: ["nowhere"], groupId: "g" })).toThrow(/no Kafka broker's address/);
});
