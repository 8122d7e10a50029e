// What the sink writes, as Kafka's own consumer sees it: every codec, keys, headers, tombstones, empty and large
// values, transactions open and aborted; and that Java's producer puts each key where we put it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { add, batchOf, begin, openSink, writeBatch } from "./sink-batches.ts";
import { untilTransactionRests } from "./transaction-state.ts";

const signal = AbortSignal.timeout(600_000);
const MEGABYTE = 1_000_000;

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

interface SeenByJava {
  readonly isolation?: "read_committed" | "read_uncommitted";
  readonly records: number;
  readonly shown?: readonly string[];
}

/** Each record as one line, as the console consumer prints it. */
async function seenByJava(topic: string, { isolation = "read_committed", records, shown }: SeenByJava) {
  const parts = shown ?? ["partition", "headers", "key", "value"];
  const { stdout } = await runKafkaTool(
    "console-consumer",
    [
      ...["--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning", "--isolation-level", isolation],
      ...["--max-messages", `${records}`, "--timeout-ms", "20000"],
      ...parts.flatMap((part) => ["--formatter-property", `print.${part}=true`]),
    ],
    { signal },
  );
  return stdout.split("\n").filter((line) => line !== "");
}

interface Row {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: Record<string, string>;
}

function sinkTo(topic: string, more: object = {}) {
  return kafkaSink<string, Row>({ brokers: [bootstrap], topic, key: "key", value: "value", ...more });
}

async function write(topic: string, rows: readonly Row[], more: object = {}): Promise<void> {
  const sink = sinkTo(topic, more);
  await using writer = await openSink(sink, 1n);
  await writeBatch(sink, writer, batchOf(0), rows);
  await untilTransactionRests(bootstrap, `tidemark-tests.${topic}`);
}

describe.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)("compressed by %s", (compression) => {
  it("Java's consumer reads keys, values, headers, nulls, nothing and a megabyte", { timeout: 60_000 }, async () => {
    const topic = await topics.create(1);
    const large = "0123456789".repeat(MEGABYTE / 10);
    const rows: Row[] = [
      { key: "k", value: "v", headers: { a: "1", b: "zwei" } },
      { key: null, value: "no key" },
      { key: "deleted", value: null },
      { key: "", value: "" },
      { key: "large", value: large },
      ...Array.from({ length: 3000 }, (_, at) => ({ key: `${at % 7}`, value: `value ${at}` })),
    ];
    await write(topic, rows, { compression, headers: "headers", recordBatchMaxBytes: 64 * 1024 });
    const lines = rows.map(({ key, value, headers }) => {
      const pairs = Object.entries(headers ?? {}).map(([name, text]) => `${name}:${text}`);
      return ["Partition:0", pairs.join(",") || "NO_HEADERS", key ?? "null", value ?? "null"].join("\t");
    });
    expect(await seenByJava(topic, { records: rows.length })).toEqual(lines);
  });
});

it("Java's producer puts every key into the partition where we put it", { timeout: 60_000 }, async () => {
  const [ours, javas] = [await topics.create(7), await topics.create(7)];
  const keys = Array.from({ length: 500 }, (_, at) => "key-and-more".repeat(1 + (at % 4)).slice(at % 11) + at);
  await write(
    ours,
    keys.map((key) => ({ key, value: "v" })),
  );
  const lines = keys.map((key) => `${key}\tv\n`).join("");
  const keyed = ["--reader-property", "parse.key=true"];
  const to = ["--bootstrap-server", bootstrap, "--topic", javas];
  await runKafkaTool("console-producer", [...to, ...keyed], { signal, input: lines });
  const placesIn = async (topic: string) =>
    (await seenByJava(topic, { records: keys.length, shown: ["partition", "key"] })).sort();
  const places = await placesIn(ours);
  expect(new Set(places.map((line) => line.slice(0, 12))).size).toBe(7);
  expect(places).toEqual(await placesIn(javas));
});

it("read_committed shows whole batches only, read_uncommitted what is under way as well", {
  timeout: 90_000,
}, async () => {
  const topic = await topics.create(2);
  const sink = sinkTo(topic);
  const rows = (from: number) =>
    Array.from({ length: 20 }, (_, at) => ({ key: `${from + at}`, value: `${from + at}` }));
  const values = (from: number) => rows(from).map(({ value }) => value);
  const seen = async (isolation: "read_committed" | "read_uncommitted", records: number) => {
    await untilTransactionRests(bootstrap, `tidemark-tests.${topic}`);
    const lines = await seenByJava(topic, { isolation, records, shown: ["value"] });
    return lines.sort((a, b) => Number(a) - Number(b));
  };
  await using writer = await openSink(sink, 1n);
  await writeBatch(sink, writer, batchOf(0), rows(0));
  {
    await using givenUp = await begin(writer, batchOf(1));
    await add(sink, givenUp, rows(100));
    // Small batches wait in memory; this is enough to have some of it sent.
    await add(sink, givenUp, [{ key: "large", value: "9".repeat(900_000) }, ...rows(200)]);
  }
  await writeBatch(sink, writer, batchOf(1), rows(20));
  await using open = await begin(writer, batchOf(2));
  await add(sink, open, [{ key: "40", value: "40".padEnd(600_000) }, ...rows(41)]);
  await add(sink, open, [{ key: "40", value: "4000".padEnd(600_000) }]);
  expect(await seen("read_committed", 40)).toEqual([...values(0), ...values(20)]);
  const uncommitted = await seen("read_uncommitted", 41);
  expect(uncommitted.length).toBeGreaterThan(40);
  await open.commit();
  expect((await seen("read_committed", 62)).length).toBe(62);
});
