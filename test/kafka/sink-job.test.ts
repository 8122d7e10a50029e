// Whole jobs from Kafka to Kafka: types flow from the source's values to the sink's fields, and rows arrive once.
import { filter, map } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { defineJob, json, runJob } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics, message } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";
import { untilTransactionRests } from "./transaction-state.ts";

interface Payment {
  readonly id: number;
  readonly user: string;
  readonly amount: number;
}

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

const payment = (id: number): Payment => ({ id, user: `user-${id % 10}`, amount: id % 100 });

it("a job from Kafka to Kafka writes each row once, in batches, and a second run has nothing to do", {
  timeout: 60_000,
}, async () => {
  const [input, output] = [await topics.create(4), await topics.create(4)];
  for (let partition = 0; partition < 4; partition++) {
    const payments = Array.from({ length: 2500 }, (_, at) => payment(at * 4 + partition));
    await topics.produce(
      input,
      payments.map((each) => message(partition, JSON.stringify(each))),
    );
  }
  const job = defineJob({
    name: `copy-${output}`,
    source: kafkaSource({ brokers: [bootstrap], topics: input, value: json<Payment>() }),
    pipeline: (records$) =>
      records$.pipe(
        filter((record) => record.value.amount >= 50),
        map(({ value }) => ({ id: value.id, user: value.user })),
      ),
    sink: kafkaSink({ brokers: [bootstrap], topic: output, key: "user", compression: "lz4" }),
    checkpoint: memoryStore(),
    trigger: "available-now",
    maxOffsetsPerBatch: 3000,
  });
  await runJob(job);
  await runJob(job);
  await untilTransactionRests(bootstrap, `tidemark-copy-${output}.${output}`);
  const rows = await readTopic(kafkaSource({ brokers: [bootstrap], topics: output, value: json<{ id: number }>() }));
  const expected = Array.from({ length: 10_000 }, (_, id) => payment(id)).filter(({ amount }) => amount >= 50);
  expect(rows.map(({ id }) => id).sort((a, b) => a - b)).toEqual(expected.map(({ id }) => id));
});
