// The mirror of a job's positions in its consumer group, as Kafka's own tool shows it.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type KafkaSourceOptions, kafkaSource } from "../../connectors/kafka/index.ts";
import type { KafkaReader } from "../../connectors/kafka/reader.ts";
import { defineJob, runJob } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);
const lineageId = "lineage-1";

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

/** A job's reader, and what it warns about. */
async function open(jobName: string, options: Pick<KafkaSourceOptions<Uint8Array>, "topics" | "adoptGroup">) {
  const warnings: string[] = [];
  const source = kafkaSource({ brokers: [bootstrap], ...options });
  const reader = await source.open({ jobName, baseDir: "/", warn: (line) => void warnings.push(line) }, signal);
  return { reader: reader as KafkaReader<Uint8Array, null>, warnings };
}

function newGroup(): string {
  return `job-${randomBytes(6).toString("hex")}`;
}

async function topicWith(count: number): Promise<string> {
  const topic = await topics.create(2);
  const messages = Array.from({ length: count }, (_, at) => message(at % 2, `${at}`));
  await topics.produce(topic, messages);
  return topic;
}

/** What `kafka-consumer-groups --describe` shows: partition, offset, end, lag. */
async function describeGroup(group: string): Promise<string[]> {
  const args = ["--bootstrap-server", bootstrap, "--describe", "--group", group];
  const { stdout } = await runKafkaTool("consumer-groups", args, { signal });
  const rows = stdout.split("\n").filter((line) => line.startsWith(group));
  return rows.map((row) => row.split(/\s+/).slice(2, 6).join(" ")).sort();
}

it("shows the offsets and the lag of every partition in the tools people have", { timeout: 60_000 }, async () => {
  const topic = await topicWith(100);
  const group = newGroup();
  const { reader, warnings } = await open(group, { topics: topic });
  const at = (partition: number, offset: bigint) => ({ topic, partition, offset });
  await reader.completed([at(0, 10n), at(1, 0n)], { lineageId }, signal);
  await reader.completed([at(0, 30n), at(1, 50n)], { lineageId }, signal);
  await reader[Symbol.asyncDispose]();
  expect(await describeGroup(group)).toEqual(["0 30 50 20", "1 50 50 0"]);
  expect(warnings).toEqual([]);
});

it("follows a job that runs, up to its end", async () => {
  const topic = await topicWith(100);
  const group = newGroup();
  const job = defineJob({
    ...({ name: group, checkpoint: "memory:", trigger: "available-now", maxOffsetsPerBatch: 30 } as const),
    source: kafkaSource({ brokers: [bootstrap], topics: topic }),
    pipeline: (records$) => records$,
    sink: async () => undefined,
  });
  await runJob(job, { signal });
  const [found] = await topics.admin.listConsumerGroupOffsets({ groups: [group] });
  const offsets = found?.topics.flatMap(({ partitions }) => partitions.map((each) => Number(each.committedOffset)));
  expect(offsets).toEqual([50, 50]);
});

it("goes on with what the same job wrote in an earlier run", async () => {
  const topic = await topicWith(10);
  const group = newGroup();
  for (const offset of [1n, 2n]) {
    const { reader, warnings } = await open(group, { topics: topic });
    await reader.completed([{ topic, partition: 0, offset }], { lineageId }, signal);
    await reader[Symbol.asyncDispose]();
    expect(warnings).toEqual([]);
  }
});

it("leaves a group alone whose offsets others wrote, and warns once; unless it adopts it", async () => {
  const topic = await topicWith(10);
  const group = newGroup();
  const strange = { partition: 0, offset: 4n };
  await topics.admin.alterConsumerGroupOffsets({
    groupId: group,
    topics: [{ name: topic, partitionOffsets: [strange] }],
  });
  const committed = async () => {
    const [found] = await topics.admin.listConsumerGroupOffsets({ groups: [group] });
    return found?.topics.flatMap(({ partitions }) => partitions.map((each) => Number(each.committedOffset)));
  };
  const { reader, warnings } = await open(group, { topics: topic });
  for (const offset of [1n, 2n]) await reader.completed([{ topic, partition: 0, offset }], { lineageId }, signal);
  await reader[Symbol.asyncDispose]();
  expect(warnings).toEqual([expect.stringMatching(/did not write.*adoptGroup/)]);
  expect(await committed()).toEqual([4]);

  const adopting = await open(group, { topics: topic, adoptGroup: true });
  await adopting.reader.completed([{ topic, partition: 0, offset: 7n }], { lineageId }, signal);
  await adopting.reader[Symbol.asyncDispose]();
  expect(adopting.warnings).toEqual([]);
  expect(await committed()).toEqual([7]);

  // What another lineage of this job wrote is not this one's either.
  const other = await open(group, { topics: topic });
  await other.reader.completed([{ topic, partition: 0, offset: 1n }], { lineageId: "lineage-2" }, signal);
  await other.reader[Symbol.asyncDispose]();
  expect(other.warnings).toHaveLength(1);
  expect(await committed()).toEqual([7]);
});
