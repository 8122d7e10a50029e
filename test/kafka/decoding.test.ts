// The decoder without a broker: batches written by the Kafka library's encoder, which shares no code with it, then cut,
// trimmed, damaged and marked in every way.
import { createRecordsBatch, jsCRC32C } from "@platformatic/kafka";
import { crc32c as inWebAssembly } from "@platformatic/wasm-utils";
import { describe, expect, it, test } from "vitest";
import type { AbortedTransaction } from "../../connectors/kafka/aborted-transactions.ts";
import type { RecordTarget } from "../../connectors/kafka/batch-records.ts";
import { crc32c } from "../../connectors/kafka/crc32c.ts";
import { FetchedRecords } from "../../connectors/kafka/fetched-records.ts";
import { VarintReader } from "../../connectors/kafka/varint-reader.ts";
import { ConfigError, type RecordParts, TransientError } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const partition = { topic: "t", partition: 3 };
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
type Codec = (typeof codecs)[number];

interface Written {
  readonly key?: string;
  readonly value?: string;
  readonly timestamp?: number;
  readonly headers?: Record<string, string>;
}

interface BatchOptions {
  readonly codec?: Codec;
  readonly baseOffset?: number;
  /** Set bits of the attributes: 0x08 log append time, 0x10 transactional, 0x20 control. */
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly maxTimestamp?: number;
}

/** A batch as a broker keeps it: encoded by the library, then given its offset and its attributes. */
function batchOf(records: readonly Written[], options: BatchOptions = {}): Buffer {
  const messages = records.map(({ key, value, timestamp, headers }) => ({
    topic: "t",
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    value: (value === undefined ? undefined : Buffer.from(value)) as Buffer,
    timestamp: BigInt(timestamp ?? 1_700_000_000_000),
    headers: new Map(Object.entries(headers ?? {}).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  }));
  const batch = Buffer.from(createRecordsBatch(messages, { compression: options.codec ?? "none" }).buffer);
  batch.writeBigInt64BE(BigInt(options.baseOffset ?? 0), 0);
  batch.writeUInt16BE(batch.readUInt16BE(21) | (options.attributes ?? 0), 21);
  if (options.maxTimestamp !== undefined) batch.writeBigInt64BE(BigInt(options.maxTimestamp), 35);
  if (options.producerId !== undefined) batch.writeBigInt64BE(options.producerId, 43);
  return sealed(batch);
}

/** The batch with its CRC made right again. */
function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(jsCRC32C(batch.subarray(21)), 17);
  return batch;
}

interface Decoded {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string])[];
}

interface DecodeOptions {
  readonly from?: number;
  readonly until?: number;
  readonly aborted?: readonly AbortedTransaction[];
  readonly chunkRecords?: number;
}

/** Everything that is decoded, in chunks, and where it ended. */
function decode(bytes: Buffer, { from = 0, until = 1e9, aborted, chunkRecords = 1e9 }: DecodeOptions = {}) {
  const records: Decoded[] = [];
  const target = {
    add(
      buffer: Buffer,
      offset: number,
      timestamp: number,
      valueStart: number,
      valueEnd: number,
      keyStart: number,
      keyEnd: number,
      parts: RecordParts,
      at: number,
    ) {
      records.push({
        offset,
        timestamp,
        key: keyStart < 0 ? null : buffer.toString("utf8", keyStart, keyEnd),
        value: valueStart < 0 ? null : Buffer.from(parts.copy(valueStart, valueEnd)).toString(),
        headers: parts.headers(at).map(([name, value]) => [name, Buffer.from(value).toString()] as const),
      });
    },
  };
  const fetched = new FetchedRecords({ partition, bytes, fromOffset: from, aborted });
  const end = Math.min(until, fetched.endOffset);
  while (fetched.nextOffset < end) fetched.decode(target, until, { records: chunkRecords, bytes: 1e9 });
  return { records, nextOffset: fetched.nextOffset, endOffset: fetched.endOffset, isCut: fetched.isCut };
}

function offsetsOf({ records }: { records: readonly Decoded[] }): number[] {
  return records.map(({ offset }) => offset);
}

const many = Array.from({ length: 50 }, (_, at) => ({ value: `value ${at}`, key: `k${at}` }));

test("the CRC is the one that others compute, at every length and alignment", () => {
  expect(crc32c(Buffer.from("123456789"), 0, 9)).toBe(0xe3069283);
  const { seed, random } = seedOf("crc");
  const bytes = Buffer.from(Array.from({ length: 300 }, () => numberBelow(random, 256)));
  for (let round = 0; round < 500; round++) {
    const start = numberBelow(random, 300);
    const end = start + numberBelow(random, 301 - start);
    const expected = jsCRC32C(bytes.subarray(start, end));
    expect(crc32c(bytes, start, end), seed).toBe(expected);
    expect(inWebAssembly(bytes.subarray(start, end)), seed).toBe(expected);
  }
});

test("values are copies, whatever their sizes, and stay when the bytes that were fetched do not", () => {
  const values = [0, 1, 20_000, 5_000, 5_000, 5_000, 0, 16_384, 1, 40_000, 3].map((size, at) => `${at}`.repeat(size));
  const bytes = batchOf(values.map((value) => ({ value })));
  const copies: Uint8Array[] = [];
  const target: RecordTarget = {
    add: (_buffer, _offset, _timestamp, start, end, _keyStart, _keyEnd, parts) => copies.push(parts.copy(start, end)),
  };
  new FetchedRecords({ partition, bytes, fromOffset: 0, aborted: undefined }).decode(target, 100, {
    records: 100,
    bytes: 1e9,
  });
  bytes.fill(0);
  expect(copies.map((copy) => Buffer.from(copy).toString())).toEqual(values);
});

test("numbers of any size and sign are read as they were written", () => {
  // Written here, for the library's encoder has no negative numbers beyond 32 bits.
  const written = (value: bigint): Buffer => {
    const bytes: number[] = [];
    let zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; zigzag > 127n; zigzag >>= 7n) bytes.push(Number(zigzag & 127n) | 128);
    return Buffer.from([...bytes, Number(zigzag)]);
  };
  const powers = Array.from({ length: 53 }, (_, bits) => 1n << BigInt(bits));
  for (const value of powers.flatMap((power) => [power, -power, power - 1n, 1n - power])) {
    const bytes = written(value);
    const reader = new VarintReader(bytes, 0);
    expect(reader.readLong()).toBe(Number(value));
    expect(reader.position).toBe(bytes.length);
    if (value >= -(2n ** 31n) && value < 2n ** 31n) expect(new VarintReader(bytes, 0).readInt()).toBe(Number(value));
  }
});

describe.each(codecs)("batches compressed with %s", (codec) => {
  it("give back keys, values, timestamps and headers", () => {
    const written: Written[] = [
      { key: "k", value: "plain", timestamp: 1_700_000_000_000 },
      { value: "no key, earlier", timestamp: 1_699_999_990_000, headers: { trace: "1", empty: "" } },
      { key: "tombstone" },
      { key: "", value: "", timestamp: 1_700_000_000_001 },
      { value: "x".repeat(100_000), headers: { üñï: "🌊" } },
    ];
    const { records } = decode(batchOf(written, { codec, baseOffset: 70 }), { from: 70 });
    expect(records).toEqual(
      written.map(({ key, value, timestamp, headers }, at) => ({
        offset: 70 + at,
        timestamp: timestamp ?? 1_700_000_000_000,
        key: key ?? null,
        value: value ?? null,
        headers: Object.entries(headers ?? {}),
      })),
    );
  });

  it("give an error or the right records, whichever bit is flipped", () => {
    const bytes = batchOf(many.slice(0, 12), { codec, baseOffset: 5 });
    const right = decode(bytes, { from: 5 }).records;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      // The base offset is the broker's own, and its CRC does not cover it; no client can tell.
      if (bit < 64) expect(() => decode(flipped, { from: 5 }).records.length).not.toThrow(TypeError);
      else expectErrorOrNothingWrong(flipped, 5, right);
    }
  });

  it("are left for the next fetch when they are cut, at every byte", () => {
    const whole = batchOf(many.slice(0, 10), { codec });
    const next = batchOf(many.slice(10, 20), { codec, baseOffset: 10 });
    for (let length = 0; length < next.length; length++) {
      const bytes = Buffer.concat([whole, next.subarray(0, length)]);
      expect(decode(bytes)).toMatchObject({ endOffset: 10, nextOffset: 10, isCut: false });
      expect(decode(next.subarray(0, length), { from: 10 })).toMatchObject({ endOffset: 10, isCut: length > 0 });
    }
  });
});

/** Flipped bytes may be refused, or taken for an unfinished batch; what they give must be what was written. */
function expectErrorOrNothingWrong(bytes: Buffer, from: number, right: readonly Decoded[]): void {
  let found: ReturnType<typeof decode>;
  try {
    found = decode(bytes, { from });
  } catch (error) {
    expect(error).toSatisfy((thrown) => thrown instanceof TransientError || thrown instanceof ConfigError);
    return;
  }
  if (!found.isCut) expect(found.records).toEqual(right);
}

describe("a fetch", () => {
  const bytes = Buffer.concat([
    batchOf(many.slice(0, 10), { baseOffset: 100 }),
    // Compaction has left a gap from 110 to 119.
    batchOf(many.slice(20, 30), { baseOffset: 120, codec: "lz4" }),
    batchOf(many.slice(30, 50), { baseOffset: 130 }),
  ]);
  const all = decode(bytes, { from: 100 });

  it("gives any range exactly, in chunks of any size, and ends at its end", () => {
    expect(all).toMatchObject({ nextOffset: 150, endOffset: 150 });
    const { seed, random } = seedOf("ranges");
    for (let round = 0; round < 500; round++) {
      const from = 100 + numberBelow(random, 10);
      const until = from + numberBelow(random, 60);
      const found = decode(bytes, { from, until, chunkRecords: 1 + numberBelow(random, 12) });
      const expected = all.records.filter(({ offset }) => offset >= from && offset < until);
      expect(found.records, `seed ${seed}, ${from}-${until}`).toEqual(expected);
      expect(found.nextOffset).toBe(Math.min(until, 150));
    }
  });

  it("goes on after the end of one range with the next one", () => {
    const fetched = new FetchedRecords({ partition, bytes, fromOffset: 100, aborted: undefined });
    const offsets: number[] = [];
    const target = { add: (_buffer: Buffer, offset: number) => void offsets.push(offset) };
    for (const until of [103, 104, 115, 117, 125, 150]) {
      while (fetched.nextOffset < until) fetched.decode(target, until, { records: 2, bytes: 1e9 });
      expect(fetched.nextOffset).toBe(until);
    }
    expect(offsets).toEqual(offsetsOf(all));
  });

  it("refuses offsets that go back", () => {
    const back = Buffer.concat([batchOf(many, { baseOffset: 100 }), batchOf(many, { baseOffset: 149 })]);
    expect(() => decode(back, { from: 100 })).toThrow(/not after those before it/);
  });

  it("takes the broker's time where the topic says so", () => {
    const stamped = batchOf(many.slice(0, 3), { attributes: 0x08, maxTimestamp: 1_800_000_000_000 });
    expect(decode(stamped).records.map(({ timestamp }) => timestamp)).toEqual(Array(3).fill(1_800_000_000_000));
  });

  it.each([0, 1])("says that messages of format %i are too old", (magic) => {
    const old = batchOf(many);
    old.writeUInt8(magic, 16);
    expect(() => decode(old)).toThrow(ConfigError);
  });

  it("refuses records that claim more than there is", () => {
    for (const [at, value] of [
      [57, 51],
      [57, 0x7fffffff],
      [23, 10],
    ] as const) {
      const lying = batchOf(many);
      lying.writeInt32BE(value, at);
      expect(() => decode(sealed(lying))).toThrow(TransientError);
    }
  });

  it("never reads beyond its bytes, whatever a producer has put into a batch with a right CRC", () => {
    const { seed, random } = seedOf("hostile");
    for (let round = 0; round < 3000; round++) {
      const hostile = batchOf(many.slice(0, 5), { attributes: numberBelow(random, 8) });
      for (let flips = 1 + numberBelow(random, 4); flips > 0; flips--) {
        hostile.writeUInt8(numberBelow(random, 256), 57 + numberBelow(random, hostile.length - 57));
      }
      try {
        for (const { offset } of decode(sealed(hostile)).records) expect(offset, seed).toBeLessThan(5);
      } catch (error) {
        if (!(error instanceof TransientError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});

describe("transactions", () => {
  const committed = { attributes: 0x10, producerId: 1n };
  const aborted = { attributes: 0x10, producerId: 2n };

  /** What ends a transaction: version 0 and its type, 0 for abort. */
  function marker(baseOffset: number, producerId: bigint, type: "abort" | "commit"): Buffer {
    const key = Buffer.from([0, 0, 0, type === "abort" ? 0 : 1]).toString("latin1");
    return batchOf([{ key, value: "\0\0\0\0\0\0" }], { baseOffset, producerId, attributes: 0x30 });
  }

  const bytes = Buffer.concat([
    batchOf(many.slice(0, 2), { ...committed, baseOffset: 0 }),
    batchOf(many.slice(0, 2), { ...aborted, baseOffset: 2 }),
    batchOf(many.slice(0, 1), { baseOffset: 4 }),
    marker(5, 2n, "abort"),
    batchOf(many.slice(0, 2), { ...aborted, baseOffset: 6 }),
    marker(8, 1n, "commit"),
    marker(9, 2n, "commit"),
  ]);
  const list = [{ producerId: 2n, firstOffset: 2n }];

  it("leaves out aborted records up to the marker, and markers always", () => {
    expect(offsetsOf(decode(bytes, { aborted: list }))).toEqual([0, 1, 4, 6, 7]);
    expect(offsetsOf(decode(bytes))).toEqual([0, 1, 2, 3, 4, 6, 7]);
  });

  it("ends a range at its end although nothing but markers and aborted records come last", () => {
    expect(decode(bytes, { aborted: list, until: 10 }).nextOffset).toBe(10);
    expect(decode(bytes, { aborted: list, from: 2, until: 4 })).toMatchObject({ records: [], nextOffset: 4 });
    expect(offsetsOf(decode(bytes, { aborted: list, from: 3, until: 7 }))).toEqual([4, 6]);
  });

  it("knows a producer's next transaction from the one that was aborted", () => {
    const twice = [...list, { producerId: 2n, firstOffset: 6n }];
    expect(offsetsOf(decode(bytes, { aborted: twice }))).toEqual([0, 1, 4]);
  });

  it("leaves out a transaction of a single record", () => {
    const single = Buffer.concat([batchOf(many.slice(0, 1), aborted), marker(1, 2n, "abort")]);
    expect(decode(single, { aborted: [{ producerId: 2n, firstOffset: 0n }] })).toMatchObject({
      records: [],
      nextOffset: 2,
    });
  });

  it("checks the CRC of a marker as well", () => {
    const damaged = marker(0, 2n, "abort");
    damaged.writeUInt8(1, damaged.length - 10);
    expect(() => decode(damaged, { aborted: list })).toThrow(/checksum/);
  });
});
