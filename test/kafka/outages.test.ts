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

it("a position beyond the end of its leader's epoch is in a part of the log that was cut", async () => {
  // The restart has begun a new epoch at the end of the log: what the old leader had beyond it would be gone.
  const cluster = (await markOf(0n)).split("/").slice(0, 2).join("/");
  const at = (offset: number, epoch: number) => {
    return { topic, partition: 0, offset: BigInt(offset), mark: `${cluster}/${epoch}` };
  };
  await using topics = new BrokerTopics(kafka.bootstrap);
  await topics.produce(topic, [message(0, "of the new epoch")]);
  await using reader = await open();
  expect(await reader.mismatches([at(count, 0)], signal)).toEqual([]);
  expect(await reader.mismatches([at(count + 1, 0)], signal)).toEqual([
    { position: at(count + 1, 0), reason: expect.stringMatching(`cut at ${count}`) },
  ]);
  const mark = await markOf(BigInt(count + 1));
  expect(await reader.mismatches([{ topic, partition: 0, offset: BigInt(count + 1), mark }], signal)).toEqual([]);
});

/** The mark of a position as it is now. */
async function markOf(offset: bigint): Promise<string> {
  await using reader = await open();
  await reader.partitions(signal);
  const [marked] = await reader.mark([{ topic, partition: 0, offset }], signal);
  return marked?.mark ?? "";
}

it("a broker that is killed is waited for, and given up on in bounded time", { timeout: 90_000 }, async () => {
  await using reader = await open();
  await expect(readAll(reader, () => kafka.kill())).rejects.toBeInstanceOf(TransientError);
  const failure = await reader.partitions(signal).catch((error) => error);
  expect(failure).toBeInstanceOf(TransientError);
  expect(failure.message).toContain(kafka.bootstrap);
  await expect(open()).rejects.toBeInstanceOf(TransientError);
  await kafka.start();
  expect(await reader.partitions(signal)).toMatchObject([{ latest: BigInt(count + 1) }]);
});

it("a broker that is frozen runs into the deadline, and does not hold up who wants to stop", {
  timeout: 90_000,
}, async () => {
  await using reader = await open(1000);
  const stopping = new AbortController();
  let frozen = () => {};
  const isFrozen = new Promise<void>((resolve) => (frozen = resolve));
  const freeze = async () => {
    kafka.pause();
    frozen();
  };
  const reading = readAll(reader, freeze, stopping.signal);
  try {
    await isFrozen;
    const failure = await reader.partitions(signal).catch((error) => error);
    expect(failure).toBeInstanceOf(TransientError);
    stopping.abort(new Error("told to stop"));
    await expect(reading).rejects.toThrow("told to stop");
  } finally {
    kafka.resume();
  }
});
