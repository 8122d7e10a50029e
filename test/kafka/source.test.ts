// The source contract on a real broker, and what is Kafka's own: topics by pattern, marks, isolation, data loss.
import { afterAll, beforeAll } from "vitest";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { sourceContract } from "../contracts/source.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

sourceContract({
  name: "kafka",
  decodes: true,
  // The suite replaces one partition, and Kafka can only replace a topic: marks have tests of their own below.
  marks: false,
  async create({ partitions, value, tombstones, timestamp }) {
    const topic = await topics.create(partitions.length);
    const messagesOf = (partition: number, values: readonly (string | null)[]) =>
      values.map((each) =>
        message(partition, each, { timestamp: BigInt(each === null ? 0 : Math.trunc(timestamp(each))) }),
      );
    for (const [partition, values] of partitions.entries()) await topics.produce(topic, messagesOf(partition, values));
    const options = { brokers: [bootstrap], topics: topic, value, mirrorOffsetsToGroup: false };
    let count = partitions.length;
    return {
      source: tombstones ? kafkaSource({ ...options, tombstones }) : kafkaSource(options),
      topic,
      async append(partition, values) {
        if (partition >= count) {
          count = partition + 1;
          await topics.grow(topic, count);
        }
        await topics.produce(topic, messagesOf(partition, values));
      },
      async [Symbol.asyncDispose]() {
        await topics.delete(topic);
      },
    };
  },
});
