// What goes wrong while writing to Kafka, on a real broker, is an error that says what to change.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import { refusedBatch, refusedTransaction } from "../../connectors/kafka/producer-errors.ts";
import { ConfigError, type TidemarkError } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { add, batchOf, begin, openSink, writeBatch } from "./sink-batches.ts";
import { transactionState } from "./transaction-state.ts";

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

async function errorOf(promise: Promise<unknown>): Promise<TidemarkError> {
  try {
    await promise;
  } catch (error) {
    return error as TidemarkError;
  }
  throw new Error("it went well");
}

async function write(topic: string, more: object, rows: readonly unknown[]): Promise<void> {
  const sink = kafkaSink<never, unknown>({ brokers: [bootstrap], topic, ...more });
  await using writer = await openSink(sink, 1n);
  await writeBatch(sink, writer, batchOf(0), rows);
}

it.each([
  ["no topic", {}],
  ["a topic that cannot be", { topic: "a b" }],
  ["an unknown codec", { topic: "t", compression: "rar" }],
  ["no time for a transaction", { topic: "t", transactionTimeoutMs: 10 }],
  ["record batches of no size", { topic: "t", recordBatchMaxBytes: 0 }],
  ["an empty transactional id", { topic: "t", transactionalId: "" }],
  ["a marker topic that cannot be", { topic: "t", markerTopic: "a/b" }],
  ["a marker topic that rows go to", { topic: "tidemark-markers" }],
])("%s is found before anything runs", (_, options) => {
  expect(() => kafkaSink({ brokers: ["127.0.0.1:1"], ...options } as never)).toThrow(ConfigError);
});

it("a topic that is not there is named, with the command that makes it", async () => {
  const error = await errorOf(write("no-such-topic", {}, [1]));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toContain('"no-such-topic"');
  expect(error.hint).toContain("--create --topic no-such-topic");
  const byRow = await errorOf(write("", { topic: () => "no-such-topic" }, [1]));
  expect(byRow.message).toBe(error.message);
});

it("a record that is too large names the topic and both settings", async () => {
  const topic = await topics.create(1);
  const error = await errorOf(write(topic, {}, ["x".repeat(2_000_000)]));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toContain(`write to ${topic}:0`);
  expect(error.hint).toMatch(/max\.message\.bytes.*recordBatchMaxBytes/);
  await write(await topics.create(1, { "max.message.bytes": "3000000" }), {}, ["x".repeat(2_000_000)]);
});

it("a record without a key for a compacted topic says that it needs one", async () => {
  const topic = await topics.create(1, { "cleanup.policy": "compact" });
  const error = await errorOf(write(topic, {}, [{ id: 1 }]));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.hint).toContain("each record needs a key");
});

it("a transaction timeout beyond what the brokers allow names both settings", async () => {
  const error = await errorOf(write(await topics.create(1), { transactionTimeoutMs: 3_600_000 }, [1]));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.hint).toMatch(/transactionTimeoutMs.*transaction\.max\.timeout\.ms/);
});

it("a batch that takes longer than its transaction may names the setting, and nothing of it is seen", {
  timeout: 60_000,
}, async () => {
  const topic = await topics.create(1);
  const options = { brokers: [bootstrap], topic, transactionTimeoutMs: 1000, recordBatchMaxBytes: 1024 };
  const sink = kafkaSink<never, string>(options);
  await using writer = await openSink(sink, 1n);
  await using write = await begin(writer, batchOf(0));
  await add(sink, write, ["x".repeat(900), "y".repeat(900)]);
  const isGivenUp = async () => (await transactionState(bootstrap, `tidemark-tests.${topic}`)) === "CompleteAbort";
  await waitUntil(isGivenUp, { what: "the end", withinMs: 30_000, signal: AbortSignal.timeout(60_000) });
  const error = await errorOf(write.commit());
  expect(error).toMatchObject({ code: "KAFKA_TRANSACTION_TIMEOUT", retryable: true });
  expect(error.hint).toMatch(/transactionTimeoutMs.*transaction\.max\.timeout\.ms/);
  await using next = await openSink(sink, 2n);
  expect(await writeBatch(sink, next, batchOf(0), ["x"])).toBe(true);
});

it("a marker topic that would forget is refused, with the command that heals it", async () => {
  const markerTopic = await topics.create(1, { "cleanup.policy": "delete" });
  const error = await errorOf(write(await topics.create(1), { markerTopic }, [1]));
  expect(error).toMatchObject({ code: "KAFKA_MARKER_TOPIC", retryable: false });
  expect(error.hint).toContain(`--entity-name ${markerTopic} --add-config cleanup.policy=compact`);
});

it("a marker topic that is missing is made, compacted", async () => {
  const markerTopic = `markers-${Date.now()}`;
  await write(await topics.create(1), { markerTopic }, [1]);
  const [found] = await topics.admin.describeConfigs({
    resources: [{ resourceType: 2, resourceName: markerTopic, configurationKeys: ["cleanup.policy"] }],
  });
  expect(found?.configs[0]?.value).toBe("compact");
});

describe("what a broker refuses", () => {
  const at = { topic: "payments", partition: 3, errorMessage: undefined, broker: "127.0.0.1:9092" };

  it("because too few replicas are in sync can be tried again, and names the setting", () => {
    expect(refusedBatch({ ...at, errorCode: 19 })).toMatchObject({ retryable: true });
    expect(refusedBatch({ ...at, errorCode: 20 }).hint).toContain("min.insync.replicas");
  });

  it("because of its rules names the topic and the rule that allows it", () => {
    const error = refusedBatch({ ...at, errorCode: 29 });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toBe("allow it: kafka-acls --add --operation Write --topic payments");
  });

  it("because of its rules names the transactional id and the rule that allows it", () => {
    const refused = {
      errorCode: 53,
      doing: "register the producer",
      transactionalId: "tidemark-j.t",
      broker: at.broker,
    };
    expect(refusedTransaction(refused)).toBeInstanceOf(ConfigError);
    expect(refusedTransaction(refused).hint).toContain("--transactional-id tidemark-j.t");
  });
});
