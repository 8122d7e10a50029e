// The decoder against Kafka's own consumer, on real logs: both read the same topic, and must see the same records. Half
// of the topics are written by Kafka's own producer, too.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { type Header, type SourceRecord, text } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { BrokerTopics, type Message, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

type Isolation = "read_committed" | "read_uncommitted";

/** Each record as one line, as the console consumer prints it. */
async function seenByJava(topic: string, isolation: Isolation, expectedRecords: number): Promise<string[]> {
  const shown = ["timestamp", "partition", "offset", "headers", "key", "value"];
  const { stdout } = await runKafkaTool(
    "console-consumer",
    [
      ...["--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning", "--isolation-level", isolation],
      // It ends when it has them all, or after waiting for one that does not come.
      ...["--max-messages", `${expectedRecords}`, "--timeout-ms", "20000"],
      ...shown.flatMap((part) => ["--formatter-property", `print.${part}=true`]),
    ],
    { signal },
  );
  return stdout.split("\n").filter((line) => line !== "");
}

function lineOf(record: SourceRecord<string | null, string | null>, time: "CreateTime" | "LogAppendTime"): string {
  const { timestamp, partition, offset, headers, key, value } = record;
  const written = (header: Header) => `${header[0]}:${Buffer.from(header[1]).toString()}`;
  const shown = headers.length === 0 ? "NO_HEADERS" : headers.map(written).join(",");
  return [
    `${time}:${timestamp}`,
    `Partition:${partition}`,
    `Offset:${offset}`,
    shown,
    key ?? "null",
    value ?? "null",
  ].join("\t");
}

async function seenByUs(topic: string, isolation: Isolation, time: "CreateTime" | "LogAppendTime"): Promise<string[]> {
  const source = kafkaSource({
    ...{ brokers: [bootstrap], topics: topic, isolation, fetchMaxBytes: 100_000 },
    ...{ value: text(), key: text(), tombstones: true },
  });
  await using reader = await source.open({ jobName: "witness", baseDir: "/", warn: () => undefined }, signal);
  const lines: string[] = [];
  for (const { topic: name, partition, earliest, latest } of await reader.partitions(signal)) {
    const range = { topic: name, partition, fromOffset: earliest, untilOffset: latest };
    for await (const { records } of reader.read(range, { signal, skip: new Set() })) {
      lines.push(...records.map((record) => lineOf(record, time)));
    }
  }
  return lines;
}

async function expectTheSame(
  topic: string,
  { isolation = "read_committed" as Isolation, time = "CreateTime" as "CreateTime" | "LogAppendTime", least = 1 } = {},
): Promise<string[]> {
  const ours = await seenByUs(topic, isolation, time);
  expect(ours.length).toBeGreaterThanOrEqual(least);
  expect((await seenByJava(topic, isolation, ours.length)).sort()).toEqual([...ours].sort());
  return ours;
}

/** Of every kind: with and without key, value and headers, empty, large. */
function mixed(count: number): Message[] {
  return Array.from({ length: count }, (_, at) => {
    const headers = new Map(
      Array.from({ length: at % 4 }, (_, header) => [Buffer.from(`h${header}`), Buffer.from(`v${at}`)] as const),
    );
    return message(at % 2, at % 11 === 0 ? null : at % 13 === 0 ? "" : `value ${at} ${"ü🌊x".repeat(at % 40)}`, {
      ...(at % 3 === 0 ? {} : { key: Buffer.from(`key ${at % 50}`) }),
      ...(headers.size === 0 ? {} : { headers }),
      timestamp: BigInt(1_700_000_000_000 + at * 1000),
    });
  });
}

describe.each(codecs)("with %s", (codec) => {
  it("reads what the Kafka library wrote as Java does", { timeout: 60_000 }, async () => {
    const topic = await topics.create(2, { "max.message.bytes": "2000000" });
    const large = message(0, "large ".repeat(170_000), { timestamp: 1_700_000_000_000n });
    await topics.produce(topic, mixed(3000), codec);
    await topics.produce(topic, [large], codec);
    await expectTheSame(topic, { least: 3001 });
  });

  it("reads what Java wrote as Java does", { timeout: 60_000 }, async () => {
    const topic = await topics.create(1);
    const lines = Array.from(
      { length: 5000 },
      (_, at) => `a:${at},b:x\tkey ${at % 7}\tvalue ${at} ${"ü🌊x".repeat(at % 40)}`,
    );
    const parse = ["parse.key=true", "parse.headers=true"].flatMap((property) => ["--reader-property", property]);
    const args = ["--bootstrap-server", bootstrap, "--topic", topic, "--compression-codec", codec, ...parse];
    await runKafkaTool("console-producer", args, { signal, input: `${lines.join("\n")}\n` });
    const ours = await expectTheSame(topic, { least: 5000 });
    expect(ours.map((line) => line.split("\t").slice(3).join("\t"))).toEqual(lines);
  });
});

it("sees the same of transactions, committed and aborted, under either isolation", { timeout: 60_000 }, async () => {
  const topic = await topics.create(1);
  for (let round = 0; round < 5; round++) {
    await topics.transaction(
      topic,
      mixed(40).map((each) => ({ ...each, partition: 0 })),
      "commit",
    );
    await topics.transaction(topic, [message(0, `aborted ${round}`)], "abort");
    await topics.produce(topic, [message(0, `plain ${round}`)]);
  }
  expect(await expectTheSame(topic)).toHaveLength(205);
  expect(await expectTheSame(topic, { isolation: "read_uncommitted" })).toHaveLength(210);
});

it("takes the broker's time where the topic says so", async () => {
  const topic = await topics.create(1, { "message.timestamp.type": "LogAppendTime" });
  await topics.produce(topic, [message(0, "a", { timestamp: 1n }), message(0, "b", { timestamp: 2n })], "lz4");
  await expectTheSame(topic, { time: "LogAppendTime", least: 2 });
});

it("reads a compacted log, with all its gaps, to the end of each range", { timeout: 120_000 }, async () => {
  const config = { "cleanup.policy": "compact", "segment.ms": "500", "min.cleanable.dirty.ratio": "0.01" };
  const topic = await topics.create(1, { ...config, "delete.retention.ms": "0" });
  const keyed = (from: number) =>
    Array.from({ length: 500 }, (_, at) => message(0, `${from + at}`, { key: Buffer.from(`${(at * 7) % 90}`) }));
  for (const from of [0, 500, 1000]) await topics.produce(topic, keyed(from), from === 500 ? "lz4" : "none");
  let rolled = 1500;
  const deadline = Date.now() + 90_000;
  // A segment is cleaned only after it was rolled, which needs another record after a while.
  while ((await seenByUs(topic, "read_committed", "CreateTime")).length > 1000) {
    if (Date.now() > deadline) throw new Error("the broker did not compact the log");
    await topics.produce(topic, [message(0, `${rolled++}`, { key: Buffer.from("last") })]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  await expectTheSame(topic, { least: 90 });
  const source = kafkaSource({ brokers: [bootstrap], topics: topic, value: text(), maxBufferedBytes: 0 });
  await using reader = await source.open({ jobName: "witness", baseDir: "/", warn: () => undefined }, signal);
  const whole = await seenByUs(topic, "read_committed", "CreateTime");
  const pieces: string[] = [];
  for (let from = 0; from < rolled; from += 100) {
    const untilOffset = BigInt(Math.min(rolled, from + 100));
    const range = { topic, partition: 0, fromOffset: BigInt(from), untilOffset };
    for await (const { records } of reader.read(range, { signal, skip: new Set() })) {
      pieces.push(...records.map(({ value }) => value));
    }
  }
  expect(pieces).toEqual(whole.map((line) => line.split("\t")[5]));
});
