// From rows to record batches, without a broker: what the encoder makes of a row, where the writer puts it, and that
// the bytes are what our own decoder, which is tested against Java's logs, reads.
import { describe, expect, it } from "vitest";
import { BatchRecords } from "../../connectors/kafka/batch-records.ts";
import { type Compression, codecs } from "../../connectors/kafka/compress.ts";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import { murmur2 } from "../../connectors/kafka/murmur2.ts";
import { Placer, placeIn } from "../../connectors/kafka/placement.ts";
import { readBatchHeader } from "../../connectors/kafka/record-batch.ts";
import type { EncodedRecords } from "../../connectors/kafka/row-encoder.ts";
import { TopicBatches } from "../../connectors/kafka/topic-batches.ts";
import type { PendingBatch } from "../../connectors/kafka/transactional-producer.ts";
import { ConfigError, type RecordParts, type Sink } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const brokers = ["127.0.0.1:1"];
const STAMP = { producerId: 4_000_000_000n, producerEpoch: 7, baseSequence: 12, timestamp: 1_700_000_000_123 };

interface ReadRecord {
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string])[];
}

function encode<Row>(sink: Sink<Row>, rows: readonly Row[]): readonly EncodedRecords[] {
  const encoder = sink.encoder();
  for (const row of rows) encoder.add(row);
  return (encoder.take()?.data ?? []) as readonly EncodedRecords[];
}

function read(batches: readonly PendingBatch[], compression: Compression = "none"): ReadRecord[] {
  const records: ReadRecord[] = [];
  for (const { topic, partition, records: writer } of batches) {
    const bytes = writer.finish(codecs[compression], STAMP);
    const header = readBatchHeader(bytes, 0, { topic, partition });
    if (header === undefined) throw new Error("the batch is cut");
    expect(header).toMatchObject({ isTransactional: true, producerId: STAMP.producerId, end: bytes.length });
    expect(header.recordCount).toBe(writer.recordCount);
    const text = (buffer: Buffer, start: number, end: number) =>
      start < 0 ? null : buffer.toString("utf8", start, end);
    const add = (
      buffer: Buffer,
      offset: number,
      timestamp: number,
      ...[valueStart, valueEnd, keyStart, keyEnd, parts, at]: [number, number, number, number, RecordParts, number]
    ) => {
      expect(timestamp).toBe(STAMP.timestamp);
      const pairs = parts.headers(at).map(([name, value]) => [name, Buffer.from(value).toString("utf8")] as const);
      const value = text(buffer, valueStart, valueEnd);
      records.push({ partition, key: text(buffer, keyStart, keyEnd), value, headers: pairs });
      expect(offset).toBeLessThan(writer.recordCount);
    };
    const everything = { records: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
    new BatchRecords(bytes, header, { topic, partition }).offer({ add }, 0, Number.POSITIVE_INFINITY, everything);
  }
  return records;
}

function sorted(rows: readonly EncodedRecords[], partitionCount: number, batchId = 0, recordBatchMaxBytes = 4096) {
  return rows.flatMap((records) => {
    const options = { topic: records.topic, partitionCount, batchId, codec: codecs.none, recordBatchMaxBytes };
    const batches = new TopicBatches(options);
    return [...batches.add(records), ...batches.rest()];
  });
}

describe("murmur2", () => {
  // From kafka-clients' own tests (UtilsTest.testMurmur2).
  it.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("hashes %s as Java does", (text, hash) => {
    const bytes = Buffer.from(`--${text}--`);
    expect(murmur2(bytes, 2, bytes.length - 2)).toBe(hash);
  });
});

describe("where records go", () => {
  it("rows without a key take turns by runs, the same ones when the batch runs again", () => {
    const partitionsOf = (batchId: number) => {
      const placer = new Placer(4, batchId);
      return Array.from({ length: 2500 }, () => placer.partitionOf(-1));
    };
    expect(partitionsOf(6)).toEqual(partitionsOf(6));
    expect([...new Set(partitionsOf(6))]).toEqual([2, 3, 0]);
    expect([...new Set(partitionsOf(7))]).toEqual([3, 0, 1]);
  });

  it("a partition that a row asks for goes before its key, and null leaves it to the key", () => {
    const sink = kafkaSink({ brokers, topic: "t", key: "key", partition: "to" });
    const rows = [
      { key: "21", to: 5 },
      { key: "21", to: null },
      { key: "21", to: 0 },
    ];
    const partitions = sorted(encode(sink, rows), 7).map(({ partition }) => partition);
    expect(partitions.sort()).toEqual([0, (-973932308 & 0x7fffffff) % 7, 5]);
    expect(new Placer(5, 0).partitionOf(placeIn(4))).toBe(4);
  });

  it("a partition that there is not is an error that names topic and number", () => {
    const rows = encode(kafkaSink({ brokers, topic: "payments", partition: "to" }), [{ to: 4 }]);
    expect(() => sorted(rows, 4)).toThrow(ConfigError);
    expect(() => sorted(rows, 4)).toThrow('a row asks for partition 4 of "payments", which has 4');
  });
});

describe("what a row becomes", () => {
  it("the row as JSON, without a key, when nothing is said", () => {
    const rows = encode(kafkaSink({ brokers, topic: "t" }), [{ id: 1, name: "ü🌊" }]);
    expect(read(sorted(rows, 1))).toEqual([{ partition: 0, key: null, value: '{"id":1,"name":"ü🌊"}', headers: [] }]);
  });

  it("fields by name and functions give key, value, headers and topic", () => {
    interface Row {
      id: number;
      country: string;
      body: Uint8Array | string | null | { deep: number };
    }
    const sink = kafkaSink<never, Row>({
      brokers,
      topic: (row) => `to-${row.country}`,
      key: (row) => row.id,
      value: (row) => row.body,
      headers: (row) =>
        row.id === 4
          ? null
          : [
              ["a", "1"],
              ["a", Buffer.from("2")],
              [row.country, ""],
            ],
    });
    const rows: Row[] = [
      { id: 1, country: "nl", body: "text" },
      { id: 2, country: "be", body: new Uint8Array([104, 105]) },
      { id: 3, country: "nl", body: null },
      { id: 4, country: "be", body: { deep: 1 } },
    ];
    const headers = (country: string) => [
      ["a", "1"],
      ["a", "2"],
      [country, ""],
    ];
    const encoded = encode(sink, rows);
    expect(encoded.map(({ topic }) => topic)).toEqual(["to-nl", "to-be"]);
    expect(read(sorted(encoded, 1))).toEqual([
      { partition: 0, key: "1", value: "text", headers: headers("nl") },
      { partition: 0, key: "3", value: null, headers: headers("nl") },
      { partition: 0, key: "2", value: "hi", headers: headers("be") },
      { partition: 0, key: "4", value: '{"deep":1}', headers: [] },
    ]);
  });

  it.each([
    ["a key that is missing", { key: "id" }, {}, "the key of a row cannot be undefined"],
    ["a key that is an object", { key: "id" }, { id: {} }, "the key of a row cannot be an object"],
    ["a value that is missing", { value: "body" }, { id: 1 }, "the value of a row cannot be undefined"],
    ["a bigint in JSON", {}, { id: 1n }, "cannot be written as JSON"],
    ["a partition that is no number", { partition: "to" }, { to: "3" }, 'the partition of a row cannot be "3"'],
    ["a negative partition", { partition: "to" }, { to: -1 }, "the partition of a row cannot be -1"],
    ["headers that are none", { headers: "h" }, { h: 3 }, "the headers of a row cannot be 3"],
    ["a header of another type", { headers: "h" }, { h: { a: 3 } }, 'the header "a" cannot be 3'],
  ])("%s is an error, and leaves nothing behind", (_, options, row, message) => {
    const encoder = kafkaSink<string, unknown>({ brokers, topic: "t", ...options }).encoder();
    const good = { id: 1, body: "b", to: 0, h: {} };
    encoder.add(good);
    expect(() => encoder.add(row)).toThrow(message);
    encoder.add(good);
    const taken = encoder.take();
    expect(taken?.rowCount).toBe(2);
    const records = read(sorted(taken?.data as EncodedRecords[], 1));
    expect(records).toHaveLength(2);
    expect(records[0]).toEqual(records[1]);
  });
});

describe.each(Object.keys(codecs) as Compression[])("record batches compressed by %s", (compression) => {
  it("hold what was written, whatever the sizes", () => {
    const { seed, random } = seedOf("sink-encoding");
    const letters = ["a", "ü", "漢", "🌊", "\u0000", "\ud800"];
    const textOf = (length: number) =>
      Array.from({ length }, () => letters[numberBelow(random, letters.length)] ?? "").join("");
    const sizes = [0, 1, 15, 16, 17, 63, 64, 65, 2000, 8191, 8192, 20_000];
    const rows = Array.from({ length: 300 }, () => ({
      key: numberBelow(random, 4) === 0 ? null : textOf(numberBelow(random, 40)),
      value: numberBelow(random, 4) === 0 ? null : textOf(sizes[numberBelow(random, sizes.length)] ?? 0),
    }));
    const sink = kafkaSink<never, (typeof rows)[number]>({
      brokers,
      topic: "t",
      key: (row) => row.key,
      value: (row) => row.value,
    });
    const records = read(sorted(encode(sink, rows), 1, 0, 64 * 1024), compression);
    const wellFormed = (text: string | null) => text?.toWellFormed() ?? null;
    const expected = rows.map(({ key, value }) => ({ key: wellFormed(key), value: wellFormed(value) }));
    expect(
      records.map(({ key, value }) => ({ key, value })),
      `seed ${seed}`,
    ).toEqual(expected);
  });
});
