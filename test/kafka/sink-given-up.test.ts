// A batch that is given up while its records still wait to be sent: after the abort none of them is sent any more, into
// no transaction, and what follows is written as if it had not been there.
import { afterAll, beforeAll, expect, it } from "vitest";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { codecs } from "../../connectors/kafka/compress.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { RecordBatchWriter } from "../../connectors/kafka/record-batch-writer.ts";
import { TransactionalProducer } from "../../connectors/kafka/transactional-producer.ts";
import { json } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";
import { add, batchOf, begin, openSink, writeBatch } from "./sink-batches.ts";
import { untilTransactionRests } from "./transaction-state.ts";

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

async function valuesIn(topic: string, transactionalId: string, isolation: "read_committed" | "read_uncommitted") {
  await untilTransactionRests(bootstrap, transactionalId);
  return readTopic(kafkaSource({ brokers: [bootstrap], topics: topic, value: json<number>(), isolation }));
}

it.each([true, false])(
  "a send that waits for room sends nothing after an abort, when brokers may add partitions: %s",
  async (brokersMayAddPartitions) => {
    const signal = AbortSignal.timeout(60_000);
    const topic = await topics.create(1);
    await using client = await KafkaClient.open({ brokers: [bootstrap] }, "tests", signal);
    await client.metadata([topic], signal);
    const transactionalId = `given-up-${topic}`;
    const options = { client, transactionalId, transactionTimeoutMs: 60_000, produceTimeoutMs: 10_000 };
    const producer = await TransactionalProducer.open({ ...options, brokersMayAddPartitions }, signal);
    const digit = (value: number) => {
      const records = new RecordBatchWriter();
      // No key, one digit, no headers.
      records.append(Buffer.from([1, 2, 0x30 + value, 0]), 0, 4);
      return { topic, partition: 0, records, codec: codecs.none };
    };
    // A broker takes five requests at once, so that some of these have to wait.
    const sends = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => producer.send([digit(value)], signal));
    const outcomes = Promise.allSettled(sends);
    await producer.abort(signal);
    const sent = (await outcomes).filter(({ status }) => status === "fulfilled").length;
    expect(sent).toBeLessThan(sends.length);
    await producer.send([digit(9)], signal);
    await producer.commit(signal);
    expect(await valuesIn(topic, transactionalId, "read_committed")).toEqual([9]);
    expect(await valuesIn(topic, transactionalId, "read_uncommitted")).toHaveLength(sent + 1);
  },
);

it("a batch that is given up while it waits for its turn sends nothing, and leaves the turn to the next", async () => {
  const topic = await topics.create(1);
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic, recordBatchMaxBytes: 1024 });
  await using writer = await openSink(sink, 1n);
  const write = await begin(writer, batchOf(0));
  // Enough for several record batches.
  const writing = add(
    sink,
    write,
    Array.from({ length: 2_000 }, () => 1),
  );
  await write[Symbol.asyncDispose]();
  await expect(writing).rejects.toThrow("was given up");
  expect(await writeBatch(sink, writer, batchOf(0), [2])).toBe(true);
  expect(await valuesIn(topic, `tidemark-tests.${topic}`, "read_uncommitted")).toEqual([2]);
});
