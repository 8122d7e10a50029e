// Processes that die or freeze in the middle of a batch, and what the next run finds: nothing lost, nothing doubled,
// nothing of a zombie's. Markers are told from those that were aborted, and seen beyond others' open transactions.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type BatchMarker, encodeMarker, markerKey } from "../../connectors/kafka/batch-marker.ts";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { codecs } from "../../connectors/kafka/compress.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { MARKER_PARTITION } from "../../connectors/kafka/marker-topic.ts";
import { RecordBatchWriter } from "../../connectors/kafka/record-batch-writer.ts";
import { RecordBytes } from "../../connectors/kafka/record-bytes.ts";
import { TransactionalProducer } from "../../connectors/kafka/transactional-producer.ts";
import { ConfigError, json } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";
import { add, batchOf, begin, openSink, writeBatch } from "./sink-batches.ts";
import { transactionState, untilTransactionRests } from "./transaction-state.ts";

const program = fileURLToPath(new URL("sink-process.ts", import.meta.url));
const ROWS = 1000;
const MARKER_TOPIC = "tidemark-markers";

let bootstrap: string;
let topics: BrokerTopics;
const started: ChildProcess[] = [];
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** Starts the process; what comes back waits for a line that it says. */
function start(topic: string, epoch: number, stopBefore = "none") {
  const args = [program, bootstrap, topic, `${epoch}`, `${ROWS}`, stopBefore];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async (line: string) => {
    for (let next = await lines.next(); !next.done; next = await lines.next()) {
      if (next.value.startsWith(line)) return next.value;
    }
    throw new Error(`it ended without saying "${line}"`);
  };
  return { child, closed, said };
}

const numbersIn = async (topic: string) => {
  await untilTransactionRests(bootstrap, `tidemark-tests.${topic}`);
  return readTopic(kafkaSource({ brokers: [bootstrap], topics: topic, value: json<number>() }));
};
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

it("a process that is killed between its rows and its commit leaves nothing, and the next run writes the batch once", {
  timeout: 60_000,
}, async () => {
  const topic = await topics.create(1);
  const { child, closed, said } = start(topic, 1, "1");
  await said("wrote 1");
  const isOpen = async () => (await transactionState(bootstrap, `tidemark-tests.${topic}`)) === "Ongoing";
  const signal = AbortSignal.timeout(30_000);
  await waitUntil(isOpen, { what: "its second transaction", withinMs: 20_000, signal });
  child.kill("SIGKILL");
  await closed;
  expect(await isOpen()).toBe(true);
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await using writer = await openSink(sink, 2n);
  expect(await writeBatch(sink, writer, batchOf(0, {}), [])).toBe(false);
  expect(await writeBatch(sink, writer, batchOf(1), upTo(2 * ROWS).slice(ROWS))).toBe(true);
  expect(await numbersIn(topic)).toEqual(upTo(2 * ROWS));
});

it("a process that is killed at random moments writes each batch exactly once", { timeout: 120_000 }, async () => {
  const { seed, random } = seedOf("sink-kills");
  const topic = await topics.create(1);
  for (let epoch = 1; epoch <= 8; epoch++) {
    const { child, closed, said } = start(topic, epoch);
    await said("open");
    await new Promise((resolve) => setTimeout(resolve, numberBelow(random, 400)));
    child.kill("SIGKILL");
    await closed;
  }
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await (await openSink(sink, 9n))[Symbol.asyncDispose]();
  const numbers = await numbersIn(topic);
  expect(numbers.length % ROWS, `seed ${seed}`).toBe(0);
  expect(numbers.length, `seed ${seed}`).toBeGreaterThan(0);
  expect(numbers, `seed ${seed}`).toEqual(upTo(numbers.length));
});

it("a process that was frozen past a take-over writes nothing more when it wakes", { timeout: 60_000 }, async () => {
  const topic = await topics.create(1);
  const { child, closed, said } = start(topic, 1, "1");
  await said("wrote 1");
  child.kill("SIGSTOP");
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await using writer = await openSink(sink, 2n);
  child.kill("SIGCONT");
  expect(await said("failed")).toBe("failed SINK_FENCED");
  await closed;
  expect(await writeBatch(sink, writer, batchOf(1), upTo(2 * ROWS).slice(ROWS))).toBe(true);
  expect(await numbersIn(topic)).toEqual(upTo(2 * ROWS));
});

it("a run of an older epoch that opens late finds that it is late", async () => {
  const topic = await topics.create(1);
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await using newer = await openSink(sink, 5n);
  await writeBatch(sink, newer, batchOf(0), upTo(3));
  await expect(openSink(sink, 4n)).rejects.toMatchObject({ code: "SINK_FENCED", retryable: true });
});

it("a transaction of another job that is left open neither hides a marker nor holds opening up", async () => {
  const [ours, others] = [await topics.create(1), await topics.create(1)];
  const markerTopic = await topics.create(1, { "cleanup.policy": "compact" });
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic: ours, markerTopic });
  // Its rows go to the topic of the markers itself: an open transaction before our marker.
  const other = kafkaSink<never, number>({
    brokers: [bootstrap],
    topic: markerTopic,
    markerTopic: others,
    key: () => "k",
  });
  await topics.admin.incrementalAlterConfigs({
    resources: [
      {
        resourceType: 2,
        resourceName: others,
        configs: [{ name: "cleanup.policy", configOperation: 0, value: "compact" }],
      },
    ],
  });
  await using otherWriter = await openSink(other, 1n);
  await using open = await begin(otherWriter, batchOf(0));
  await add(
    other,
    open,
    Array.from({ length: 200_000 }, (_, at) => at),
  );
  await using first = await openSink(sink, 1n);
  await writeBatch(sink, first, batchOf(0), upTo(3));
  await using second = await openSink(sink, 2n);
  expect(await second.begin(batchOf(0))).toBe("already-written");
});

it("a marker whose transaction was aborted does not count, and the one before it does", async () => {
  const topic = await topics.create(1);
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await using first = await openSink(sink, 1n);
  await writeBatch(sink, first, batchOf(0), upTo(3));
  // As a run that dies between the marker and the commit leaves it.
  await leaveMarker(`tidemark-tests.${topic}`, { ...batchOf(1), epoch: 2n });
  await using third = await openSink(sink, 3n);
  expect(await third.begin(batchOf(0))).toBe("already-written");
  expect(await writeBatch(sink, third, batchOf(1), [3])).toBe(true);
  expect(await numbersIn(topic)).toEqual(upTo(4));
});

/** Writes a marker, and neither commits nor aborts. */
async function leaveMarker(transactionalId: string, marker: BatchMarker): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  await using client = await KafkaClient.open({ brokers: [bootstrap] }, "tests", signal);
  await client.metadata([MARKER_TOPIC], signal);
  const body = new RecordBytes(64);
  body.addText(markerKey(transactionalId, marker.lineageId));
  body.addText(encodeMarker(marker));
  body.addVarint(0);
  const records = new RecordBatchWriter();
  records.append(body.bytes, 0, body.length);
  const options = { client, transactionalId, transactionTimeoutMs: 60_000, produceTimeoutMs: 10_000 };
  const producer = await TransactionalProducer.open({ ...options, brokersMayAddPartitions: true }, signal);
  await producer.send([{ topic: MARKER_TOPIC, partition: MARKER_PARTITION, records, codec: codecs.none }], signal);
  await producer.settled(signal);
}

it("two sinks of one run with the same transactional id are a mistake, and said to be one", async () => {
  const topic = await topics.create(1);
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await using _ = await openSink(sink, 1n);
  await expect(openSink(sink, 1n)).rejects.toBeInstanceOf(ConfigError);
  await using _other = await openSink(kafkaSink({ brokers: [bootstrap], topic, transactionalId: `x-${topic}` }), 1n);
});

it("an older checkpoint than what was written is called corrupt", async () => {
  const topic = await topics.create(1);
  const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic });
  await using writer = await openSink(sink, 1n);
  for (const batchId of [0, 1, 2]) await writeBatch(sink, writer, batchOf(batchId), [batchId]);
  await expect(writer.begin(batchOf(1))).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
});
