// The sink contract on a real broker: as brokers of Kafka 4 are spoken to, and as older ones, which must be told what
// partitions a transaction has.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { codecs } from "../../connectors/kafka/compress.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { KafkaSinkWriter } from "../../connectors/kafka/sink-writer.ts";
import { json, type Sink } from "../../runtime/index.ts";
import { type SuiteRow, sinkContract } from "../contracts/sink.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";
import { untilTransactionRests } from "./transaction-state.ts";

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

function contract(name: string, makeSink: (topic: string, transactionalId: string) => Sink<SuiteRow>): void {
  sinkContract({
    name,
    guarantee: "exactly-once",
    fences: true,
    async create() {
      const topic = await topics.create(1);
      const transactionalId = `suite-${randomBytes(6).toString("hex")}`;
      return {
        sink: makeSink(topic, transactionalId),
        async readAll() {
          await untilTransactionRests(bootstrap, transactionalId);
          return await readTopic(kafkaSource({ brokers: [bootstrap], topics: topic, value: json<SuiteRow>() }));
        },
        async [Symbol.asyncDispose]() {
          await topics.delete(topic);
        },
      };
    },
  });
}

contract("kafka", (topic, transactionalId) => kafkaSink({ brokers: [bootstrap], topic, transactionalId }));

contract("kafka before version 4", (topic, transactionalId) => ({
  ...kafkaSink<never, SuiteRow>({ brokers: [bootstrap], topic }),
  open: (context, signal) => {
    const options = {
      connection: { brokers: [bootstrap] },
      topic,
      transactionalId,
      transactionTimeoutMs: 60_000,
      produceTimeoutMs: 20_000,
      markerTopic: "tidemark-markers",
      codec: codecs.none,
      recordBatchMaxBytes: 100_000,
      brokersMayAddPartitions: false,
    };
    return KafkaSinkWriter.open(options, context, signal);
  },
}));
