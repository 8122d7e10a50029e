// Waiting for a broker to have more: what ends it, and what does not. The rest is in the source contract.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { LongPolls } from "../../connectors/kafka/long-polls.ts";
import { type SourceReader, text } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

/** Longer than a broker keeps a request that nothing ends. */
const LONGER_THAN_A_POLL_MS = 2_500;
const signal = AbortSignal.timeout(600_000);

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

function open(
  topic: string,
  isolation: "read_committed" | "read_uncommitted" = "read_committed",
): Promise<SourceReader> {
  const options = { brokers: [bootstrap], topics: topic, value: text(), mirrorOffsetsToGroup: false, isolation };
  return kafkaSource(options).open({ jobName: "waits", baseDir: "/", warn: () => {} }, signal);
}

async function endsOf(reader: SourceReader) {
  const bounds = await reader.partitions(signal);
  return bounds.map(({ topic, partition, latest }) => ({ topic, partition, offset: latest }));
}

it("an open transaction ends no wait, its commit does", async () => {
  const topic = await topics.create(2);
  await topics.produce(topic, [message(0, "before"), message(1, "before")]);
  await using reader = await open(topic);
  let isOver = false;
  const waiting = endsOf(reader).then(async (ends) => {
    await reader.waitForMore?.(ends, signal);
    isOver = true;
  });
  const commit = await topics.openTransaction(topic, [message(0, "open"), message(1, "open")]);
  // Several requests to the broker come back with nothing meanwhile, and a look would find nothing either.
  await delay(LONGER_THAN_A_POLL_MS);
  expect(isOver).toBe(false);
  expect(await endsOf(reader)).toMatchObject([{ offset: 1n }, { offset: 1n }]);
  await commit();
  await waiting;
});

it("reading uncommitted, each record of an open transaction ends a wait", async () => {
  const topic = await topics.create(1);
  await using reader = await open(topic, "read_uncommitted");
  const first = await endsOf(reader);
  const commit = await topics.openTransaction(topic, [message(0, "open")]);
  await reader.waitForMore?.(first, signal);
  const second = await endsOf(reader);
  expect(second).toMatchObject([{ offset: 1n }]);
  const waiting = reader.waitForMore?.(second, signal);
  await topics.produce(topic, [message(0, "after it")]);
  await waiting;
  await commit();
});

it("what is waited for does not hold up what is read meanwhile", async () => {
  const topic = await topics.create(1);
  await topics.produce(topic, [message(0, "a")]);
  await using reader = await open(topic);
  const ends = await endsOf(reader);
  let isOver = false;
  const waiting = Promise.resolve(reader.waitForMore?.(ends, signal)).then(() => {
    isOver = true;
  });
  const range = { topic, partition: 0, fromOffset: 0n, untilOffset: 1n };
  for await (const { records } of reader.read(range, { signal, skip: new Set() })) expect(records).toHaveLength(1);
  for (let look = 0; look < 20; look++) await reader.partitions(signal);
  expect(isOver).toBe(false);
  await topics.produce(topic, [message(0, "b")]);
  await waiting;
});

it("a topic that is deleted ends the wait", async () => {
  const topic = await topics.create(1);
  await using reader = await open(topic);
  const waiting = reader.waitForMore?.(await endsOf(reader), signal);
  await topics.delete(topic);
  await waiting;
});

it("a broker that answers at once with nothing new is asked less and less often, and its news is heard", async () => {
  const topic = await topics.create(1);
  await using client = await KafkaClient.open({ brokers: [bootstrap] }, "waits", signal);
  await client.metadata([topic], signal);
  const asked: number[] = [];
  // As a new leader may do that does not know yet how far its log is committed.
  const hasty: KafkaClient = Object.create(client, {
    callApart: {
      value: (...[leader, api, [_maxWaitMs, ...rest], until]: Parameters<typeof client.callApart>) => {
        asked.push(performance.now());
        return client.callApart(leader, api, [0, ...rest], until);
      },
    },
  });
  const polls = new LongPolls({ client: hasty, readCommitted: true });
  const waiting = polls.wait([{ topic, partition: 0, offset: 0n }], signal);
  await delay(LONGER_THAN_A_POLL_MS);
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.length).toBeLessThan(25);
  await topics.produce(topic, [message(0, "news")]);
  await waiting;
  // News is progress: the next request is not put off.
  const soon = asked.length;
  const again = polls.wait([{ topic, partition: 0, offset: 1n }], signal);
  await waitUntil(async () => asked.length >= soon + 4, { what: "it is asked again", withinMs: 1_000, signal });
  const [first = 0, fourth = 0] = [asked[soon], asked[soon + 3]];
  expect(fourth - first).toBeLessThan(200);
  await topics.produce(topic, [message(0, "the end")]);
  await again;
});
