// Rows as bytes of JSON: byte for byte what JSON.stringify gives, whatever the row, or nothing.
import { describe, expect, it } from "vitest";
import { addNumber } from "../../connectors/kafka/json-number.ts";
import { RecordBytes } from "../../connectors/kafka/record-bytes.ts";
import { RowJson } from "../../connectors/kafka/row-json.ts";
import { VarintReader } from "../../connectors/kafka/varint-reader.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const ROUNDS = process.env["NIGHTLY"] === undefined ? 20_000 : 5_000_000;

/** What is written of a row; undefined when that is nothing. */
function written(rows: RowJson, row: unknown): string | undefined {
  const out = new RecordBytes(4, 3);
  if (!rows.add(out, row)) {
    expect(out.length).toBe(3);
    return undefined;
  }
  const reader = new VarintReader(out.bytes, 3);
  const length = reader.readInt();
  expect(reader.position + length).toBe(out.length);
  return out.bytes.toString("utf8", reader.position, out.length);
}

function numberText(value: number): string {
  const out = new RecordBytes(40);
  addNumber(out, value);
  return out.bytes.toString("latin1", 0, out.length);
}

function randomNumber(random: () => number): number {
  const kind = numberBelow(random, 8);
  const sign = numberBelow(random, 2) === 0 ? 1 : -1;
  if (kind === 0) return sign * numberBelow(random, 1000);
  if (kind === 1) return sign * Math.floor(random() * 2 ** 53);
  if (kind === 2) return (sign * numberBelow(random, 1e7)) / 100;
  if (kind === 3) return sign * random() * 10 ** (numberBelow(random, 40) - 20);
  if (kind === 4) return (sign * Math.floor(random() * 1e16)) / 100;
  if (kind === 5) return sign * 2 ** (numberBelow(random, 130) - 65);
  if (kind === 6)
    return [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 1e21, 0.1 + 0.2][numberBelow(random, 7)] ?? 0;
  return (sign * numberBelow(random, 1e6)) / 1000;
}

function randomValue(random: () => number): unknown {
  const kind = numberBelow(random, 10);
  if (kind < 4) return randomNumber(random);
  if (kind < 7) {
    const letters =
      kind === 4 ? ["a", "Z", " ", "~"] : ["a", '"', "\\", "\n", "é", "\u007f", "\u2028", "\ud800", "🌊", "z"];
    const length = kind === 6 ? numberBelow(random, 300) : numberBelow(random, 12);
    return Array.from({ length }, () => letters[numberBelow(random, letters.length)]).join("");
  }
  return [true, false, null, undefined, [1, "a"], { x: 1 }, new Date(1e12), () => 1, Symbol("s")][
    numberBelow(random, 9)
  ];
}

describe("rows written as JSON", () => {
  it("are what JSON.stringify gives, or are left to it", () => {
    const { seed, random } = seedOf("row-json");
    const names = ["id", "user", "amount", "10", "2", "a b", 'q"', "é", "", "__proto__x"];
    const rows = new RowJson();
    let taken = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const row: Record<string, unknown> = {};
      const count = numberBelow(random, 6);
      for (let at = 0; at < count; at++) row[names[numberBelow(random, names.length)] ?? ""] = randomValue(random);
      const found = written(rows, row);
      if (found !== undefined) taken++;
      if (found !== undefined && found !== JSON.stringify(row)) expect(found, seed).toBe(JSON.stringify(row));
    }
    expect(taken, seed).toBeGreaterThan(ROUNDS / 10);
  }, 600_000);

  it("have the digits of JavaScript", () => {
    const { seed, random } = seedOf("json-number");
    for (let round = 0; round < ROUNDS; round++) {
      const value = randomNumber(random);
      const found = numberText(value);
      if (found !== JSON.stringify(value)) expect(found, `${seed}: ${value}`).toBe(JSON.stringify(value));
    }
  });

  it.each([
    ["an array", [1]],
    ["a date", new Date(0)],
    ["a row with a toJSON", { toJSON: () => 1 }],
    [
      "an instance of a class",
      new (class Row {
        id = 1;
      })(),
    ],
    ["a text", "a"],
    ["nothing", null],
    ["a bigint inside", { id: 1n }],
  ])("are left to it: %s", (_what, row) => {
    expect(written(new RowJson(), row)).toBeUndefined();
  });

  it("are taken whatever the row before was", () => {
    const rows = new RowJson();
    const different = [
      {},
      { id: 1 },
      { user: "u", id: 2 },
      { id: 3, user: "x".repeat(150) },
      { a: undefined, b: -1.5 },
    ];
    for (const row of [...different, ...different]) expect(written(rows, row)).toBe(JSON.stringify(row));
  });
});
