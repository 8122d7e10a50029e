// Leaders that move between brokers, on a cluster of this file's own: told to move, and because their broker died. The
// last test ends a broker for good.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { map } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { defineJob, type JobEvent, json, runJob, text } from "../../runtime/index.ts";
import { type OwnServer, ownKafkaCluster, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { brokerName, clusterBrokers, type KafkaClusterAddresses } from "../servers/kafka/cluster.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);
const COUNT = 60_000;
const [here, there] = clusterBrokers;

let cluster: KafkaClusterAddresses & OwnServer;
let topics: BrokerTopics;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "leaders-"));
  cluster = await ownKafkaCluster();
  topics = new BrokerTopics(cluster.bootstrap);
  await topics.until(
    "both brokers serve",
    async () => (await topics.admin.metadata({})).brokers.size === clusterBrokers.length,
  );
}, serverStartTimeoutMs);
afterAll(async () => {
  await topics[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

/** A topic with the replicas of each partition as told; the first of them leads. */
async function createOn(replicas: readonly (readonly number[])[]): Promise<string> {
  const topic = `t-${Math.random().toString(36).slice(2)}`;
  const assignments = replicas.map((brokers, partition) => ({ partition, brokers: [...brokers] }));
  await topics.admin.createTopics({ topics: [topic], partitions: -1, replicas: -1, assignments });
  await topics.until(`${topic} is led`, async () => (await leaderOf(topic)) === replicas[0]?.[0]);
  return topic;
}

async function leaderOf(topic: string, partition = 0): Promise<number | undefined> {
  const metadata = await topics.admin.metadata({ topics: [topic], forceUpdate: true }).catch(() => undefined);
  return metadata?.topics.get(topic)?.partitions[partition]?.leader;
}

async function fill(topic: string, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const values = Array.from({ length: COUNT / partitions }, (_, at) => at * partitions + partition);
    await topics.produce(
      topic,
      values.map((id) => message(partition, JSON.stringify({ id }))),
    );
  }
}

/** Reads the whole of partition 0 in small fetches; `onFirst` begins with the first records and is waited for. */
async function readThrough(topic: string, onFirst: () => Promise<void>): Promise<string[]> {
  const source = kafkaSource({
    ...{ brokers: cluster.bootstrap.split(","), topics: topic, value: text() },
    ...{ fetchMaxBytes: 16 * 1024, maxBufferedBytes: 0, requestTimeoutMs: 5000 },
  });
  await using reader = await source.open({ jobName: "leaders", baseDir: "/", warn: () => undefined }, signal);
  const range = { topic, partition: 0, fromOffset: 0n, untilOffset: BigInt(COUNT) };
  const values: string[] = [];
  let moving: Promise<void> | undefined;
  for await (const { records } of reader.read(range, { signal, skip: new Set() })) {
    values.push(...records.map(({ value }) => value));
    if (moving !== undefined) continue;
    moving = onFirst();
    await moving;
  }
  expect(moving).toBeDefined();
  return values;
}

const everyRecord = Array.from({ length: COUNT }, (_, id) => JSON.stringify({ id }));

it("a partition that is moved to another broker in the middle of a read is read on there", {
  timeout: 90_000,
}, async () => {
  const topic = await createOn([[here]]);
  await fill(topic, 1);
  const plan = join(scratch, "move.json");
  await writeFile(plan, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, replicas: [there] }] }));
  const values = await readThrough(topic, async () => {
    const args = ["--bootstrap-server", cluster.bootstrap, "--reassignment-json-file", plan, "--execute"];
    await runKafkaTool("reassign-partitions", args, { signal });
    await topics.until("the leader has moved", async () => (await leaderOf(topic)) === there);
  });
  expect(values).toEqual(everyRecord);
});

it("a broker that dies in the middle of a job from Kafka to Kafka costs no record and doubles none", {
  timeout: 180_000,
}, async () => {
  const [input, output] = [
    await createOn([
      [here, there],
      [there, here],
    ]),
    await createOn([
      [here, there],
      [there, here],
    ]),
  ];
  await fill(input, 2);
  const events: JobEvent["type"][] = [];
  let dying: Promise<void> | undefined;
  const brokers = cluster.bootstrap.split(",");
  const job = defineJob({
    name: `leaders-${output}`,
    source: kafkaSource({
      ...{ brokers, topics: input, value: json<{ id: number }>(), requestTimeoutMs: 5000 },
      ...{ fetchMaxBytes: 16 * 1024, mirrorOffsetsToGroup: false },
    }),
    pipeline: (records$) => records$.pipe(map(({ value }) => value)),
    sink: kafkaSink({ brokers, topic: output, key: "id", requestTimeoutMs: 5000 }),
    checkpoint: memoryStore(),
    trigger: "available-now",
    maxOffsetsPerBatch: 4000,
  });
  const result = await runJob(job, {
    onEvent: ({ type }) => {
      events.push(type);
      if (events.filter((seen) => seen === "completed").length === 3) dying ??= cluster.kill(brokerName(here));
    },
  });
  await dying;
  expect(dying).toBeDefined();
  expect(result.records).toBeGreaterThanOrEqual(COUNT);
  await topics.until("the other broker leads", async () => (await leaderOf(output)) === there);
  const args = ["--bootstrap-server", `127.0.0.1:${brokers[1]?.split(":")[1]}`, "--topic", output, "--from-beginning"];
  const committed = ["--isolation-level", "read_committed", "--timeout-ms", "10000"];
  const { stdout } = await runKafkaTool("console-consumer", [...args, ...committed], { signal });
  const ids = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { id: number }).id)
    .sort((a, b) => a - b);
  expect(ids).toEqual(Array.from({ length: COUNT }, (_, id) => id));
});
