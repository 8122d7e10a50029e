// Brokers that go away in the middle of a read, on a broker of this file's own: restarted, dead and frozen.
import { afterAll, beforeAll, expect, it } from "vitest";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { type SourceReader, type SourceRecord, TransientError, text } from "../../runtime/index.ts";
import { type OwnServer, ownKafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);
const count = 60_000;

let kafka: KafkaAddresses & OwnServer;
let topic: string;
beforeAll(async () => {
  kafka = await ownKafkaServer();
  await using topics = new BrokerTopics(kafka.bootstrap);
  topic = await topics.create(1);
  const messages = Array.from({ length: count }, (_, at) => message(0, `${at}`));
  for (let at = 0; at < count; at += 1000) await topics.produce(topic, messages.slice(at, at + 1000));
}, serverStartTimeoutMs);
afterAll(() => kafka[Symbol.asyncDispose]());

function open(requestTimeoutMs = 30_000): Promise<SourceReader<SourceRecord<string>>> {
  const source = kafkaSource({
    ...{ brokers: [kafka.bootstrap], topics: topic, value: text(), requestTimeoutMs },
    // Many fetches, none of them early.
    ...{ fetchMaxBytes: 16 * 1024, maxBufferedBytes: 0 },
  });
  return source.open({ jobName: "outages", baseDir: "/", warn: () => undefined }, signal);
}

/** Reads everything; `onFirst` runs when the first records have come, and is not waited for. */
async function readAll(reader: SourceReader<SourceRecord<string>>, onFirst: () => Promise<void>, stop = signal) {
  const values: string[] = [];
  const range = { topic, partition: 0, fromOffset: 0n, untilOffset: BigInt(count) };
  let disturbance: Promise<void> | undefined;
  try {
    for await (const { records } of reader.read(range, { signal: stop, skip: new Set() })) {
      values.push(...records.map(({ value }) => value));
      disturbance ??= onFirst();
    }
  } finally {
    await disturbance;
  }
  return values;
}

it("a broker that is restarted in the middle of a read costs no record and doubles none", {
  timeout: 90_000,
}, async () => {
  await using reader = await open();
  const values = await readAll(reader, () => kafka.restart());
  expect(values).toEqual(Array.from({ length: count }, (_, at) => `${at}`));
  expect(await reader.partitions(signal)).toMatchObject([{ latest: BigInt(count) }]);
});

it("a broker that is killed is waited for, and given up on in bounded time", { timeout: 90_000 }, async () => {
  await using reader = await open();
  await expect(readAll(reader, () => kafka.kill())).rejects.toBeInstanceOf(TransientError);
  const failure = await reader.partitions(signal).catch((error) => error);
  expect(failure).toBeInstanceOf(TransientError);
  expect(failure.message).toContain(kafka.bootstrap);
  await expect(open()).rejects.toBeInstanceOf(TransientError);
  await kafka.start();
  expect(await reader.partitions(signal)).toMatchObject([{ latest: BigInt(count) }]);
});

it("a broker that is frozen runs into the deadline, and does not hold up who wants to stop", {
  timeout: 90_000,
}, async () => {
  await using reader = await open(1000);
  const stopping = new AbortController();
  const reading = readAll(reader, async () => kafka.pause(), stopping.signal);
  try {
    const failure = await reader.partitions(signal).catch((error) => error);
    expect(failure).toBeInstanceOf(TransientError);
    stopping.abort(new Error("told to stop"));
    await expect(reading).rejects.toThrow("told to stop");
  } finally {
    kafka.resume();
  }
});
