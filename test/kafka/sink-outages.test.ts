// Brokers that go away while a batch is written, on a broker of this file's own: whatever the sink says then, a new one
// finds out what became of the batch, and each row is there once.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { codecs } from "../../connectors/kafka/compress.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { RecordBatchWriter } from "../../connectors/kafka/record-batch-writer.ts";
import { TransactionalProducer } from "../../connectors/kafka/transactional-producer.ts";
import { json, OutcomeUnknownError, type SinkWriter } from "../../runtime/index.ts";
import { type OwnServer, ownKafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";
import { add, batchOf, begin, openSink, writeBatch } from "./sink-batches.ts";
import { untilTransactionRests } from "./transaction-state.ts";

const signal = AbortSignal.timeout(600_000);

let kafka: KafkaAddresses & OwnServer;
beforeAll(async () => {
  kafka = await ownKafkaServer();
}, serverStartTimeoutMs);
afterAll(() => kafka[Symbol.asyncDispose]());

async function newTopic(): Promise<string> {
  await using topics = new BrokerTopics(kafka.bootstrap);
  return await topics.create(1);
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

async function numbersIn(topic: string): Promise<readonly number[]> {
  await untilTransactionRests(kafka.bootstrap, `tidemark-tests.${topic}`);
  return await readTopic(kafkaSource({ brokers: [kafka.bootstrap], topics: topic, value: json<number>() }));
}

describe.each(["restart", "kill"] as const)("a broker that is ended (%s) in the middle of a batch", (how) => {
  it("costs the batch a second attempt, and no row is lost or doubled", { timeout: 120_000 }, async () => {
    const topic = await newTopic();
    const sink = kafkaSink<never, number>({ brokers: [kafka.bootstrap], topic, recordBatchMaxBytes: 1024 });
    await using writer = await openSink(sink, 1n);
    await writeBatch(sink, writer, batchOf(0), upTo(500));
    await attempt(writer);
    await using next = await openSink(sink, 2n);
    await writeBatch(sink, next, batchOf(1), upTo(1000).slice(500));
    expect(await next.begin(batchOf(1))).toBe("already-written");
    expect(await numbersIn(topic)).toEqual(upTo(1000));

    async function attempt(first: SinkWriter): Promise<void> {
      await using write = await begin(first, batchOf(1));
      await add(sink, write, upTo(800).slice(500));
      if (how === "restart") await kafka.restart();
      else {
        await kafka.kill();
        await kafka.start();
      }
      try {
        await add(sink, write, upTo(1000).slice(800));
        await write.commit();
      } catch (error) {
        expect(error).toMatchObject({ retryable: true });
        await expect(first.begin(batchOf(1))).rejects.toMatchObject({ retryable: true });
      }
    }
  });
});

it("a commit whose answer does not come is of unknown outcome, and its producer does nothing more", {
  timeout: 120_000,
}, async () => {
  const topic = await newTopic();
  const sink = kafkaSink<never, number>({ brokers: [kafka.bootstrap], topic });
  await using client = await KafkaClient.open({ brokers: [kafka.bootstrap], requestTimeoutMs: 1000 }, "tests", signal);
  await client.metadata([topic], signal);
  const transactionalId = `tidemark-tests.${topic}`;
  const options = { client, transactionalId, transactionTimeoutMs: 60_000, produceTimeoutMs: 1000 };
  const producer = await TransactionalProducer.open({ ...options, brokersMayAddPartitions: true }, signal);
  const pending = () => {
    const records = new RecordBatchWriter();
    // No key, the value "7", no headers.
    records.append(Buffer.from([1, 2, 0x37, 0]), 0, 4);
    return { topic, partition: 0, records, codec: codecs.none };
  };
  await producer.send([pending()], signal);
  await producer.settled(signal);
  kafka.pause();
  try {
    await expect(producer.commit(signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  } finally {
    kafka.resume();
  }
  await expect(producer.send([pending()], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  await producer.abort(signal);
  // The next one of this id settles it: what was under way has come to its end, one way or the other.
  await (await openSink(sink, 1n))[Symbol.asyncDispose]();
  const settled = await numbersIn(topic);
  expect([[], [7]]).toContainEqual(settled);
  await using writer = await openSink(sink, 2n);
  await writeBatch(sink, writer, batchOf(0), [8]);
  expect(await numbersIn(topic)).toEqual([...settled, 8]);
});
