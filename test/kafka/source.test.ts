// The source contract on a real broker, and what is Kafka's own: topics by pattern, identity of logs, isolation, lost
// records.
import { randomBytes } from "node:crypto";
import { map } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { Fetcher } from "../../connectors/kafka/fetcher.ts";
import { type KafkaSourceOptions, kafkaSource } from "../../connectors/kafka/index.ts";
import {
  ConfigError,
  DataLossError,
  defineJob,
  type OffsetRange,
  runJob,
  type SourceReader,
  type SourceRecord,
  TransientError,
  text,
} from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { sourceContract } from "../contracts/source.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const NOTHING: ReadonlySet<bigint> = new Set();
const signal = AbortSignal.timeout(600_000);

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

sourceContract({
  name: "kafka",
  decodes: true,
  // The suite replaces one partition, and Kafka can only replace a topic: marks have tests of their own below.
  marks: false,
  async create({ partitions, value, tombstones, timestamp }) {
    const topic = await topics.create(partitions.length);
    const messagesOf = (partition: number, values: readonly (string | null)[]) =>
      values.map((each) =>
        message(partition, each, { timestamp: BigInt(each === null ? 0 : Math.trunc(timestamp(each))) }),
      );
    for (const [partition, values] of partitions.entries()) await topics.produce(topic, messagesOf(partition, values));
    const options = { brokers: [bootstrap], topics: topic, value, mirrorOffsetsToGroup: false };
    let count = partitions.length;
    return {
      source: tombstones ? kafkaSource({ ...options, tombstones }) : kafkaSource(options),
      topic,
      async append(partition, values) {
        if (partition >= count) {
          count = partition + 1;
          await topics.grow(topic, count);
        }
        await topics.produce(topic, messagesOf(partition, values));
      },
      async [Symbol.asyncDispose]() {
        await topics.delete(topic);
      },
    };
  },
});

type Reader = SourceReader<SourceRecord<string, string | null>>;

function open(options: Pick<KafkaSourceOptions<string>, "topics"> & Partial<KafkaSourceOptions<string, string>>) {
  const source = kafkaSource({ brokers: [bootstrap], value: text(), key: text(), ...options });
  return source.open({ jobName: "tests", baseDir: "/", warn: () => undefined }, signal);
}

async function readAll(reader: Reader, range: OffsetRange) {
  const records: SourceRecord<string, string | null>[] = [];
  for await (const chunk of reader.read(range, { signal, skip: NOTHING })) records.push(...chunk.records);
  return records;
}

async function valuesOf(reader: Reader, range: OffsetRange): Promise<string[]> {
  return (await readAll(reader, range)).map(({ value }) => value);
}

function rangeOf(topic: string, from: number, until: number, partition = 0): OffsetRange {
  return { topic, partition, fromOffset: BigInt(from), untilOffset: BigInt(until) };
}

function numbered(count: number, from = 0) {
  return Array.from({ length: count }, (_, at) => message(0, `${from + at}`));
}

describe("topics", () => {
  it("are found by a pattern, those that are created later too", async () => {
    const prefix = randomBytes(6).toString("hex");
    await topics.create(1, {}, `${prefix}-a`);
    await using reader = await open({ topics: new RegExp(`^${prefix}-`, "g") });
    const found = async () => (await reader.partitions(signal)).map(({ topic, partition }) => `${topic}:${partition}`);
    expect(await found()).toEqual([`${prefix}-a:0`]);
    await topics.create(2, {}, `${prefix}-b`);
    await topics.until("the new topic is seen", async () => (await found()).length > 1);
    expect(await found()).toEqual([`${prefix}-a:0`, `${prefix}-b:0`, `${prefix}-b:1`]);
  });

  it("are read several at a time, sorted by name", async () => {
    const [one, other] = [await topics.create(1), await topics.create(1)];
    await using reader = await open({ topics: [one, other, one] });
    expect((await reader.partitions(signal)).map(({ topic }) => topic)).toEqual([one, other].sort());
  });

  it("that are not there are an error that says how to create them", async () => {
    const failure = await open({ topics: "nowhere" }).catch((error) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain('"nowhere"');
    expect(failure.hint).toContain(`kafka-topics --bootstrap-server ${bootstrap} --create --topic nowhere`);
  });

  it.each([[[]], [""], [["a b"]], [undefined], [["ok", 3]]])("cannot be %j", (bad) => {
    expect(() => kafkaSource({ brokers: [bootstrap], topics: bad as string[] })).toThrow(ConfigError);
  });
});

describe("records", () => {
  it("have their keys, headers, timestamps and exact offsets", async () => {
    const topic = await topics.create(1);
    const headers = new Map([[Buffer.from("trace"), Buffer.from("1")]]);
    await topics.produce(topic, [
      message(0, "with key", { key: Buffer.from("k"), timestamp: 1_700_000_000_000n }),
      message(0, "with header", { headers, timestamp: 1_700_000_000_500n }),
    ]);
    await using reader = await open({ topics: topic });
    const records = await readAll(reader, rangeOf(topic, 0, 2));
    const read = records.map(({ offset, timestamp, key, value, headers }) => ({
      offset,
      timestamp,
      key,
      value,
      headers,
    }));
    expect(read).toEqual([
      { offset: 0n, timestamp: 1_700_000_000_000, key: "k", value: "with key", headers: [] },
      {
        offset: 1n,
        timestamp: 1_700_000_000_500,
        key: null,
        value: "with header",
        headers: [["trace", new Uint8Array([0x31])]],
      },
    ]);
    expect(records).toMatchObject([
      { topic, partition: 0 },
      { topic, partition: 0 },
    ]);
  });

  it("may be larger than a fetch", async () => {
    const topic = await topics.create(1, { "max.message.bytes": "20000000" });
    const large = [1, 2, 3].map((each) => `${each}`.repeat(3_000_000));
    for (const value of large) await topics.produce(topic, [message(0, value)]);
    await using reader = await open({ topics: topic, fetchMaxBytes: 1024 });
    expect((await valuesOf(reader, rangeOf(topic, 0, 3))).map((value) => value.length)).toEqual(
      Array(3).fill(3_000_000),
    );
  });

  it.each([0, 100_000, 64 * 1024 * 1024])(
    "are the same with %i bytes fetched ahead, whatever the ranges",
    async (bytes) => {
      const topic = await topics.create(2);
      const all = Array.from({ length: 2 }, (_, partition) =>
        Array.from({ length: 5000 }, (_, at) => `${partition}/${at} ${"x".repeat(at % 50)}`),
      );
      for (const [partition, values] of all.entries()) {
        for (let at = 0; at < values.length; at += 100) {
          await topics.produce(
            topic,
            values.slice(at, at + 100).map((value) => message(partition, value)),
          );
        }
      }
      await using reader = await open({ topics: topic, fetchMaxBytes: 20_000, maxBufferedBytes: bytes });
      const { seed, random } = seedOf("kept");
      const next = [0, 0];
      const found: string[][] = [[], []];
      while (next.some((offset) => offset < 5000)) {
        const partition = numberBelow(random, 2);
        const from = next[partition] ?? 0;
        const until = Math.min(5000, from + 1 + numberBelow(random, 700));
        found[partition]?.push(...(await valuesOf(reader, rangeOf(topic, from, until, partition))));
        next[partition] = until;
        // Now and then a range is read again, as after a failure.
        if (random() < 0.2) await valuesOf(reader, rangeOf(topic, from, until, partition));
      }
      expect(found, `seed ${seed}`).toEqual(all);
    },
  );
});

describe("transactions", () => {
  it("that are committed are read; aborted and open ones, and markers, are not", async () => {
    const topic = await topics.create(1);
    await topics.transaction(topic, [message(0, "a"), message(0, "b")], "commit");
    await topics.transaction(topic, [message(0, "gone")], "abort");
    await topics.produce(topic, [message(0, "c")]);
    const commit = await topics.openTransaction(topic, [message(0, "later")]);
    await topics.produce(topic, [message(0, "d")]);
    await using committed = await open({ topics: topic });
    await using uncommitted = await open({ topics: topic, isolation: "read_uncommitted" });
    // a b marker gone marker c later d
    expect(await committed.partitions(signal)).toEqual([{ topic, partition: 0, earliest: 0n, latest: 6n }]);
    expect(await uncommitted.partitions(signal)).toMatchObject([{ latest: 8n }]);
    expect(await valuesOf(committed, rangeOf(topic, 0, 6))).toEqual(["a", "b", "c"]);
    expect(await valuesOf(uncommitted, rangeOf(topic, 0, 8))).toEqual(["a", "b", "gone", "c", "later", "d"]);
    await expect(valuesOf(committed, rangeOf(topic, 0, 8))).rejects.toThrow(/transaction that is still open/);
    // What is in it is not lost; what is beyond the log's end is.
    const beyond = await valuesOf(committed, rangeOf(topic, 0, 20)).catch((error) => error);
    expect(beyond.lost).toEqual([rangeOf(topic, 8, 20)]);
    await commit();
    await topics.until("the marker is there", async () => (await committed.partitions(signal))[0]?.latest === 9n);
    expect(await valuesOf(committed, rangeOf(topic, 6, 9))).toEqual(["later", "d"]);
  });

  it("that are open do not end what can be fetched when reading uncommitted", async () => {
    const topic = await topics.create(1);
    const commit = await topics.openTransaction(topic, [message(0, "open")]);
    await using client = await KafkaClient.open({ brokers: [bootstrap] }, "fetches", signal);
    await client.metadata([topic], signal);
    const topicId = client.cluster.topic(topic)?.topicId ?? "";
    const fetcher = new Fetcher({ client, readCommitted: false, fetchMaxBytes: 1024 });
    const fetched = await fetcher.fetch({ topic, partition: 0, topicId }, rangeOf(topic, 0, 1), signal);
    expect([fetched.records.endOffset, fetched.availableEnd]).toEqual([1, 1]);
    await commit();
  });

  it("leave ranges that hold nothing but what was aborted, and these end where they should", async () => {
    const topic = await topics.create(1);
    await topics.transaction(topic, numbered(50), "abort");
    await topics.produce(topic, [message(0, "after")]);
    await using reader = await open({ topics: topic });
    for (let from = 0; from < 51; from += 17)
      expect(await valuesOf(reader, rangeOf(topic, from, from + 17))).toEqual([]);
    expect(await valuesOf(reader, rangeOf(topic, 51, 52))).toEqual(["after"]);
  });
});

describe("a topic that was deleted and created again", () => {
  it("is another log, although its name and its length are the same", async () => {
    const [topic, other] = [await topics.create(1), await topics.create(1)];
    for (const each of [topic, other]) await topics.produce(each, numbered(10));
    await using before = await open({ topics: [topic, other] });
    await before.partitions(signal);
    const positions = [topic, other].sort().map((each) => ({ topic: each, partition: 0, offset: 5n }));
    const marked = await before.mark(positions, signal);
    expect(await before.mismatches(marked, signal)).toEqual([]);
    await topics.delete(topic);
    await topics.create(1, {}, topic);
    await topics.produce(topic, numbered(20, 100));
    await using after = await open({ topics: [topic, other] });
    expect(await after.mismatches(marked, signal)).toEqual([
      { position: marked.find((position) => position.topic === topic), reason: expect.stringMatching(/created again/) },
    ]);
    // Whoever had it open does not take the new one for the old one either.
    await expect(before.partitions(signal)).rejects.toBeInstanceOf(TransientError);
    const failure = await valuesOf(before, rangeOf(topic, 5, 10)).catch((error) => error);
    expect(failure).toBeInstanceOf(DataLossError);
    expect(failure.lost).toEqual([rangeOf(topic, 5, 10)]);
  });

  it("is told from one of another cluster, and from marks that are none", async () => {
    const topic = await topics.create(1);
    await topics.produce(topic, numbered(3));
    await using reader = await open({ topics: topic });
    const position = { topic, partition: 0, offset: 2n };
    const [marked] = await reader.mark([position], signal);
    const moved = { ...position, mark: (marked?.mark ?? "").replace(/^[^/]+/, "another") };
    expect(await reader.mismatches([moved], signal)).toMatchObject([
      { reason: expect.stringMatching(/another.*cluster/) },
    ]);
    const strange = { ...position, mark: "17:abc" };
    expect(await reader.mismatches([strange], signal)).toMatchObject([{ reason: expect.stringMatching(/mark/) }]);
    expect(await reader.mismatches([position], signal)).toEqual([]);
  });
});

describe("records that were deleted", () => {
  it("are lost with their exact range, and what is left can be read", async () => {
    const topic = await topics.create(1);
    await topics.produce(topic, numbered(100));
    await using reader = await open({ topics: topic });
    await topics.deleteRecordsBefore(topic, 0, 40n);
    expect(await reader.partitions(signal)).toEqual([{ topic, partition: 0, earliest: 40n, latest: 100n }]);
    const failure = await valuesOf(reader, rangeOf(topic, 10, 60)).catch((error) => error);
    expect(failure).toBeInstanceOf(DataLossError);
    expect(failure.lost).toEqual([rangeOf(topic, 10, 40)]);
    const all = await valuesOf(reader, rangeOf(topic, 10, 30)).catch((error) => error);
    expect(all.lost).toEqual([rangeOf(topic, 10, 30)]);
    expect(await valuesOf(reader, rangeOf(topic, 40, 42))).toEqual(["40", "41"]);
    await topics.deleteRecordsBefore(topic, 0, 100n);
    const beyond = await valuesOf(reader, rangeOf(topic, 100, 120)).catch((error) => error);
    expect(beyond.lost).toEqual([rangeOf(topic, 100, 120)]);
  });

  it("stop a job in the middle of a batch, or are recorded by it, as failOnDataLoss says", async () => {
    for (const failOnDataLoss of [true, false]) {
      const topic = await topics.create(1);
      await topics.produce(topic, numbered(20_000));
      const seen: string[] = [];
      const job = defineJob({
        name: "lossy",
        source: kafkaSource({
          brokers: [bootstrap],
          topics: topic,
          value: text(),
          failOnDataLoss,
          fetchMaxBytes: 1024,
        }),
        pipeline: (records$) => records$.pipe(map(({ value }) => value)),
        // The rest of the log goes away while the first batch is on its way.
        sink: async (rows) => {
          if (seen.length === 0) await topics.deleteRecordsBefore(topic, 0, 15_000n);
          seen.push(...rows);
        },
        checkpoint: "memory:",
        trigger: "available-now",
        maxOffsetsPerBatch: 10_000,
      });
      const run = runJob(job, { signal });
      if (failOnDataLoss) await expect(run).rejects.toBeInstanceOf(DataLossError);
      else {
        await run;
        expect(seen.slice(10_000)).toEqual(Array.from({ length: 5000 }, (_, at) => `${15_000 + at}`));
      }
    }
  });
});
