// The sink contract on a real broker: as brokers of Kafka 4 are spoken to, and as older ones, which must be told what
// partitions a transaction has.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { kafkaStore } from "../../checkpoints/kafka.ts";
import { codecs } from "../../connectors/kafka/compress.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { KafkaSinkWriter } from "../../connectors/kafka/sink-writer.ts";
import { json, type Sink } from "../../runtime/index.ts";
import { next } from "../contracts/checkpoint-store-bench.ts";
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

/** @param makeSink a sink whose rows are in transactions of this id */
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
          for (const id of [transactionalId, `suite-entries/${transactionalId}`])
            await untilTransactionRests(bootstrap, id);
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

contract("kafka, in transactions of the job's log", (topic, transactionalId) => {
  const sink = kafkaSink<never, SuiteRow>({ brokers: [bootstrap], topic });
  return {
    ...sink,
    async open(context, signal) {
      await using stack = new AsyncDisposableStack();
      // As for a job: first the log is taken over, then the sink is opened with what it offers.
      const store = stack.use(kafkaStore({ brokers: [bootstrap], topic: "suite-entries" }));
      const log = stack.use(await store.takeOver(transactionalId, next("begin"), signal));
      const writer = stack.use(await sink.open({ ...context, logTransactions: log.transactions }, signal));
      const opened = stack.move();
      return { begin: (batch) => writer.begin(batch), [Symbol.asyncDispose]: () => opened.disposeAsync() };
    },
  };
});
