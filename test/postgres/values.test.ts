// Values and names on their way into a table and back, read by the driver and not by the code under test.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CopyRowEncoder } from "../../connectors/postgres/row-encoder.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";
import { writeRows } from "./write-rows.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

/** What comes back of values that are written to a column of this type, in order. */
async function roundTrip(type: string, values: readonly unknown[]): Promise<unknown[]> {
  const table = newName("values");
  await database.query(`create table ${table} (n integer, value ${type})`);
  const rows = values.map((value, n) => ({ n, value }));
  await writeRows({ url: database.url, table }, rows);
  return (await database.query(`select value from ${table} order by n`)).map(({ value }) => value);
}

const same: readonly [type: string, values: unknown[]][] = [
  ["integer", [0, 1, -1, 2 ** 31 - 1, null]],
  [
    "double precision",
    [0, -0, 0.1, 1e300, 5e-324, Number.POSITIVE_INFINITY, Number.NaN, Number.MAX_SAFE_INTEGER, 1e21],
  ],
  ["boolean", [true, false, null]],
  ["timestamptz", [new Date(0), new Date("2026-02-28T23:59:59.999Z"), new Date("0001-01-01T00:00:00.000Z"), null]],
  ["bytea", [Buffer.from([0, 1, 92, 255]), Buffer.alloc(0), Buffer.from("\\x\n\t"), null]],
  ["text", ["", " ", "\\N", "\\.", "a\nb", "a\r\nb\tc", "\\", '"', "'; drop table x; --", "null", "🌊 \u2028 ü", null]],
  ["jsonb", [{ a: [1, "x\n\\", null], b: { c: true } }, [1, [2]], {}, [], null]],
  ["json", [{ nul: "\u0000", half: "\ud800" }]],
];

it.each(same)("gives %s back as it was written", async (type, values) => {
  expect(await roundTrip(type, values)).toEqual(values);
});

it("gives back what the driver has no type for as the server's text", async () => {
  const big = [2n ** 63n - 1n, -(2n ** 63n), 0n];
  expect(await roundTrip("bigint", big)).toEqual(big.map(String));
  expect(await roundTrip("numeric", [10n ** 40n, 0.1, -0, Number.NaN])).toEqual([
    `1${"0".repeat(40)}`,
    "0.1",
    "0",
    "NaN",
  ]);
  const far = [new Date("+020000-01-01T00:00:00.000Z"), new Date("-000043-03-15T12:00:00.000Z")];
  expect(await roundTrip("timestamptz", far)).toEqual(far);
});

it("writes bytes of a view, and dates as UTC to a column without a time zone", async () => {
  expect(await roundTrip("bytea", [new Uint8Array([9, 1, 2, 9]).subarray(1, 3)])).toEqual([Buffer.from([1, 2])]);
  expect(await roundTrip("timestamp", [new Date("2026-01-02T03:04:05.678Z")])).toEqual([
    new Date(2026, 0, 2, 3, 4, 5, 678),
  ]);
});

it("takes undefined and a property that is not there for NULL", async () => {
  const table = newName("holes");
  await database.query(`create table ${table} (a integer, b integer default 7, c integer default 8)`);
  await writeRows({ url: database.url, table }, [{ a: 1, b: 1 }, { a: 2 }, { b: 3, a: 3 }, { a: 4, b: undefined }]);
  expect(await database.query(`select * from ${table} order by a`)).toEqual([
    { a: 1, b: 1, c: 8 },
    { a: 2, b: null, c: 8 },
    { a: 3, b: 3, c: 8 },
    { a: 4, b: null, c: 8 },
  ]);
});

it("takes rows whose properties differ, in their order", async () => {
  const table = newName("mixed");
  await database.query(
    `create table ${table} (n integer, a integer, b text, place integer generated always as identity)`,
  );
  const rows = Array.from({ length: 3_000 }, (_, n) =>
    n % 3 === 0 ? { n } : n % 3 === 1 ? { n, a: n } : { b: "b", n },
  );
  await writeRows({ url: database.url, table }, rows);
  const read = await database.query(`select n, a, b from ${table} order by place`);
  expect(read).toEqual(rows.map((row) => ({ a: null, b: null, ...row })));
});

it("writes the columns that it is told to, and no other properties", async () => {
  const table = newName("chosen");
  await database.query(`create table ${table} (b integer, a integer)`);
  await writeRows({ url: database.url, table, columns: ["a", "b"] as never }, [{ b: 2, z: 9, a: 1 }, { a: 3 }]);
  expect(await database.query(`select a, b from ${table} order by a`)).toEqual([
    { a: 1, b: 2 },
    { a: 3, b: null },
  ]);
});

it("keeps random text of any characters", async () => {
  const { seed, random } = seedOf("text");
  const character = () => String.fromCodePoint(1 + numberBelow(random, random() < 0.5 ? 0x7f : 0xd7fe));
  const texts = Array.from({ length: 500 }, () => Array.from({ length: numberBelow(random, 20) }, character).join(""));
  expect(await roundTrip("text", texts), `TEST_SEED=${seed}`).toEqual(texts);
});

describe("upsert", () => {
  it("replaces rows with the same key, and of several in one batch the last counts", async () => {
    const table = newName("upsert");
    await database.query(
      `create table ${table} (a integer, b text, v integer, kept text default 'kept', unique (b, a))`,
    );
    const options = { url: database.url, table, mode: "upsert", key: ["a", "b"] as never } as const;
    const many = Array.from({ length: 20_000 }, (_, v) => ({ a: v % 10, b: "many", v }));
    await writeRows(
      options,
      [
        { a: 1, b: "x", v: 1 },
        { a: 2, b: "x", v: 1 },
        { a: 1, b: "x", v: 2 },
      ],
      many,
      [
        { a: 2, b: "x", v: 3 },
        { a: 3, b: "x" },
        { b: "x", a: 4, v: 5 },
      ],
    );
    expect(await database.query(`select * from ${table} where b = 'x' order by a`)).toEqual([
      { a: 1, b: "x", v: 2, kept: "kept" },
      { a: 2, b: "x", v: 3, kept: "kept" },
      { a: 3, b: "x", v: null, kept: "kept" },
      { a: 4, b: "x", v: 5, kept: "kept" },
    ]);
    const last = await database.query(`select a, v from ${table} where b = 'many' order by a`);
    expect(last).toEqual(Array.from({ length: 10 }, (_, a) => ({ a, v: 19_990 + a })));
  });

  it("lets the last row of a key count also where rows differ in their properties", async () => {
    const table = newName("upsert");
    await database.query(`create table ${table} (id integer primary key, a integer, b integer)`);
    const options = { url: database.url, table, mode: "upsert", key: "id" as never } as const;
    await writeRows(options, [{ id: 1, a: 1 }, { id: 1, b: 2 }, { id: 2 }], [{ id: 1, a: 5 }, { id: 2 }]);
    expect(await database.query(`select * from ${table} order by id`)).toEqual([
      { id: 1, a: 5, b: 2 },
      { id: 2, a: null, b: null },
    ]);
  });

  it("takes a table of nothing but its key", async () => {
    const table = newName("keys");
    await database.query(`create table ${table} (id integer primary key)`);
    const options = { url: database.url, table, mode: "upsert", key: "id" as never } as const;
    await writeRows(options, [{ id: 1 }, { id: 1 }], [{ id: 1 }, { id: 2 }]);
    expect(await database.query(`select count(*)::int as count from ${table}`)).toEqual([{ count: 2 }]);
  });

  it("refuses a row without its key", () => {
    const encoder = new CopyRowEncoder({ columns: undefined, key: ["id"] });
    for (const row of [{ a: 1 }, { id: null }, { id: undefined }]) expect(() => encoder.add(row)).toThrow("no key id");
  });
});

describe("names", () => {
  const hostile = ['we"ird', "a.b", "'; drop table first; --", "UPPER lower", "ünï 🌊", "a\nb", "$1", "select"];

  it.each(hostile)("takes %j for a column, a table and a schema, and for nothing else", async (name) => {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    await database.query(`create schema if not exists ${quoted}`);
    await database.query(`create table ${quoted}.${quoted} (${quoted} integer primary key)`);
    const options = { url: database.url, table: `${quoted}.${quoted}`, schema: name };
    await writeRows(options, [{ [name]: 1 }]);
    await writeRows({ ...options, mode: "upsert", key: name as never }, [{ [name]: 1 }, { [name]: 2 }]);
    expect(await database.query(`select count(*)::int as count from ${quoted}.${quoted}`)).toEqual([{ count: 2 }]);
    expect(await database.query(`select 1 as there from ${quoted}.batches`)).toEqual([{ there: 1 }, { there: 1 }]);
  });

  it.each(["", ".", "a.", ".b", "a.b.c.d", 'a"b', '"a', "a\u0000", "x".repeat(64)])(
    "refuses %j as a table",
    async (table) => {
      await expect(writeRows({ url: database.url, table }, [])).rejects.toThrow(/is not the name of a table|no name/);
    },
  );

  it("keeps one marker for a table, however it is written", async () => {
    const table = newName("spelled");
    await database.query(`create table ${table} (id integer)`);
    await writeRows({ url: database.url, table, schema: newName("s") }, [{ id: 1 }]);
    await writeRows({ url: database.url, table: `public."${table}"` }, [{ id: 1 }]);
    await writeRows({ url: database.url, table }, [{ id: 1 }]);
    const targets = await database.query("select distinct target from tidemark.batches where target like '%spelled%'");
    expect(targets).toEqual([{ target: `public.${table}` }]);
  });
});

describe("what Postgres cannot hold is refused where its record is known", () => {
  const refused: readonly [string, unknown, RegExp][] = [
    ["a NUL", { v: "a\u0000b" }, /column v: .*NUL/],
    ["half a surrogate pair", { v: "\ud800" }, /column v: .*surrogate/],
    ["a function", { v: () => 1 }, /column v: a function cannot/],
    ["a symbol", { v: Symbol("s") }, /column v: a symbol cannot/],
    ["a Map", { v: new Map([[1, 2]]) }, /column v: a Map has no JSON/],
    ["a date that is none", { v: new Date(Number.NaN) }, /column v: Invalid time/],
    ["a bigint inside of JSON", { v: { a: 1n } }, /column v: .*BigInt/],
    ["a row that is no object", 5, /takes objects/],
    ["a row that is an array", [1], /takes objects/],
    ["null", null, /takes objects/],
  ];
  it.each(refused)("%s", (_, row, message) => {
    const encoder = new CopyRowEncoder({ columns: undefined, key: [] });
    encoder.add({ v: "before" });
    expect(() => encoder.add(row as object)).toThrow(message);
    encoder.add({ v: "after" });
    const bytes = new Uint8Array(Buffer.from("before\nafter\n"));
    expect(encoder.take()).toMatchObject({ rowCount: 2, data: [{ columns: ["v"], bytes }] });
  });
});
