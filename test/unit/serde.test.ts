// Deserializers, and the decoder that turns raw records into records with values.
import { inspect } from "node:util";
import * as valibot from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  bytes,
  ConfigError,
  type Deserializer,
  type Header,
  json,
  PoisonRecordError,
  RecordDecoder,
  type RecordParts,
  text,
} from "../../runtime/index.ts";

const context = { topic: "t", partition: 0, headers: [] };
const { ABSENT } = RecordDecoder;

function deserialize<T>(deserializer: Deserializer<T>, value: string | Uint8Array): T | Promise<T> {
  return deserializer.deserialize(typeof value === "string" ? new TextEncoder().encode(value) : value, context);
}

function decoderOf<V, K = null>(value: Deserializer<V>, changes: { tombstones?: boolean; key?: Deserializer<K> } = {}) {
  const skip: ReadonlySet<bigint> = new Set();
  return new RecordDecoder<V, K>({ topic: "t", partition: 3, value, tombstones: false, skip, ...changes });
}

describe("json()", () => {
  it("parses values, and views of a larger buffer", () => {
    expect(deserialize(json(), '{"a":[1,"é"]}')).toEqual({ a: [1, "é"] });
    expect(deserialize(json(), new TextEncoder().encode("xx12xx").subarray(2, 4))).toBe(12);
  });

  it("refuses what is no JSON, and bytes that are no UTF-8", () => {
    expect(() => deserialize(json(), "{")).toThrow(SyntaxError);
    expect(() => deserialize(json(), Buffer.from([0x22, 0xff, 0x22]))).toThrow("not UTF-8");
  });

  it("takes the replacement character where it was really written", () => {
    expect(deserialize(json(), '"\uFFFD"')).toBe("\uFFFD");
  });

  it("never sets a prototype", () => {
    const value = deserialize(json<object>(), '{"__proto__":{"polluted":true}}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect("polluted" in {}).toBe(false);
  });
});

describe("json(schema)", () => {
  const payment = z.object({ id: z.coerce.number(), user: z.object({ name: z.string() }) });

  it("gives the schema's output", () => {
    expect(deserialize(json(payment), '{"id":"7","user":{"name":"ann"},"more":1}')).toEqual({
      id: 7,
      user: { name: "ann" },
    });
  });

  it("names the path of every issue", () => {
    expect(() => deserialize(json(payment), '{"id":"x","user":{}}')).toThrow(/^id: .+; user\.name: /);
  });

  it("takes the schemas of other libraries", () => {
    const schema = valibot.object({ list: valibot.array(valibot.number()) });
    expect(deserialize(json(schema), '{"list":[1]}')).toEqual({ list: [1] });
    expect(() => deserialize(json(schema), '{"list":[1,"x"]}')).toThrow(/^list\.1: /);
  });

  it("waits for a schema that checks asynchronously", async () => {
    const schema = z.string().refine(async (value) => value !== "bad", { message: "is bad" });
    await expect(deserialize(json(schema), '"good"')).resolves.toBe("good");
    await expect(deserialize(json(schema), '"bad"')).rejects.toThrow("is bad");
  });

  it("says so when it is given something else", () => {
    expect(() => json({} as typeof payment)).toThrow(ConfigError);
  });
});

describe("text() and bytes()", () => {
  it("text() keeps every character, and refuses bytes that are no UTF-8", () => {
    expect(deserialize(text(), " a\u0000é🌊")).toBe(" a\u0000é🌊");
    expect(() => deserialize(text(), Buffer.from([0xc3]))).toThrow("not UTF-8");
  });

  it("bytes() copies, so that the buffer may be used again", () => {
    const buffer = Buffer.from("abc");
    const value = deserialize(bytes(), buffer) as Uint8Array;
    buffer.fill(0);
    expect(Buffer.from(value).toString()).toBe("abc");
    expect(value).not.toBeInstanceOf(Buffer);
  });
});

/** The same key and headers for every record. */
function partsOf(key: Uint8Array | null, headers: readonly Header[]): RecordParts {
  return { key: () => key, headers: () => headers, copy: () => new Uint8Array(0) };
}

describe("the record decoder", () => {
  it("reads keys that are bytes, and headers, when they are asked for, each by its place", async () => {
    const asked: string[] = [];
    const parts: RecordParts = {
      key(at) {
        asked.push(`key ${at}`);
        return Buffer.from(`key ${at}`);
      },
      headers(at) {
        asked.push(`headers ${at}`);
        return [[`h${at}`, new Uint8Array(0)]];
      },
      copy: () => new Uint8Array(0),
    };
    const decoder = decoderOf(text(), { key: bytes() });
    decoder.add(Buffer.from("a"), 1, -1, 0, 1, 0, 1, parts, 10);
    decoder.add(Buffer.from("b"), 2, -1, 0, 1, 0, 1, parts, 20);
    decoder.add(Buffer.from("c"), 3, -1, 0, 1);
    const [first, second, third] = (await decoder.take()).records;
    expect(asked).toEqual([]);
    expect(second?.key?.toString()).toBe("key 20");
    expect(first?.headers[0]?.[0]).toBe("h10");
    expect(asked).toEqual(["key 20", "headers 10"]);
    expect([third?.key, third?.headers]).toEqual([null, []]);
  });

  it("gives records whose decoded key a spread takes along", async () => {
    const decoder = decoderOf(text(), { key: text() });
    decoder.add(Buffer.from("ka"), 5, 100, 1, 2, 0, 1);
    const [record] = (await decoder.take()).records;
    const all = { topic: "t", partition: 3, offset: 5n, timestamp: 100, key: "k", value: "a" };
    expect({ ...record }).toEqual(all);
  });

  it("gives records that print as a whole, though a spread takes only what is there already", async () => {
    const headers: Header[] = [["h", new Uint8Array([1])]];
    const decoder = decoderOf(text(), { key: bytes() });
    decoder.add(Buffer.from("a"), 5, 100, 0, 1, 0, 1, partsOf(Buffer.from("k"), headers));
    const [record] = (await decoder.take()).records;
    expect({ ...record }).toEqual({ topic: "t", partition: 3, offset: 5n, timestamp: 100, value: "a" });
    expect(inspect(record)).toMatch(/offset: 5n.*key: .*6b.*headers: /s);
    expect(JSON.stringify(record, (_name, value) => (typeof value === "bigint" ? String(value) : value))).toBe(
      '{"topic":"t","partition":3,"offset":"5","timestamp":100,"key":{"type":"Buffer","data":[107]},"value":"a",' +
        '"headers":[["h",{"0":1}]]}',
    );
  });

  it("decodes keys and values from slices, and keeps headers", async () => {
    const decoder = decoderOf(json<number>(), { key: text() });
    const headers: Header[] = [["h", new Uint8Array([1])]];
    const buffer = Buffer.from("k1:42|k2:43");
    decoder.add(buffer, 5, 100, 3, 5, 0, 2, partsOf(null, headers));
    decoder.add(buffer, 9, 200, 9, 11);
    const { records, tombstones } = await decoder.take();
    expect(tombstones).toBe(0);
    expect(records).toMatchObject([
      { topic: "t", partition: 3, offset: 5n, timestamp: 100, key: "k1", value: 42, headers },
      { topic: "t", partition: 3, offset: 9n, timestamp: 200, key: null, value: 43, headers: [] },
    ]);
  });

  it("tells deserializers the topic, the partition and the headers", async () => {
    const told: unknown[] = [];
    const decoder = decoderOf({ deserialize: (_bytes, about) => told.push(about) });
    const headers: Header[] = [["schema", new Uint8Array([7])]];
    decoder.add(Buffer.from("x"), 0, -1, 0, 1, ABSENT, ABSENT, partsOf(null, headers));
    decoder.add(Buffer.from("x"), 1, -1, 0, 1);
    await decoder.take();
    expect(told).toEqual([
      { topic: "t", partition: 3, headers },
      { topic: "t", partition: 3, headers: [] },
    ]);
  });

  it("gives a promise only when a deserializer did", async () => {
    const plain = decoderOf(text());
    plain.add(Buffer.from("x"), 0, -1, 0, 1);
    expect(plain.take()).not.toBeInstanceOf(Promise);
    const promising = decoderOf({ deserialize: async (value) => Buffer.from(value).toString() });
    promising.add(Buffer.from("x"), 0, -1, 0, 1);
    const taken = promising.take();
    expect(taken).toBeInstanceOf(Promise);
    expect((await taken).records[0]?.value).toBe("x");
  });

  it("starts anew after each take, and after a failure", async () => {
    const decoder = decoderOf(json());
    decoder.add(Buffer.from("nope"), 7, -1, 0, 4);
    decoder.add(Buffer.from("1"), 8, -1, 0, 1);
    expect(() => decoder.take()).toThrow(PoisonRecordError);
    decoder.add(Buffer.from("1"), 8, -1, 0, 1);
    expect((await decoder.take()).records.map(({ offset }) => offset)).toEqual([8n]);
    expect(await decoder.take()).toEqual({ records: [], tombstones: 0 });
  });

  it("says what was wrong with a poison record, and at which offset", () => {
    const decoder = decoderOf(json());
    decoder.add(Buffer.from("nope"), 7, -1, 0, 4);
    expect(() => decoder.take()).toThrow(/t:3:7 cannot be decoded: .*JSON/);
  });

  it("takes a timestamp that is no number for poison", () => {
    const skip: ReadonlySet<bigint> = new Set();
    const timestampOf = () => Number.NaN;
    const decoder = new RecordDecoder({
      topic: "t",
      partition: 0,
      value: text(),
      tombstones: false,
      skip,
      timestampOf,
    });
    decoder.add(Buffer.from("x"), 4, -1, 0, 1);
    expect(() => decoder.take()).toThrow(/t:0:4 .*timestamp is NaN/);
  });

  it("counts records without a value, or hands them out when they are wanted", async () => {
    const counting = decoderOf(text());
    counting.add(Buffer.alloc(0), 0, -1, ABSENT, ABSENT);
    counting.add(Buffer.alloc(0), 1, -1, 0, 0);
    expect(await counting.take()).toMatchObject({ records: [{ offset: 1n, value: "" }], tombstones: 1 });
    const keeping = decoderOf(text(), { tombstones: true });
    keeping.add(Buffer.alloc(0), 0, -1, ABSENT, ABSENT);
    expect(await keeping.take()).toMatchObject({ records: [{ offset: 0n, value: null }], tombstones: 0 });
  });
});
