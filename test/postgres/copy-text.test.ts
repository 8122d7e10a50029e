// Numbers and texts that are written byte by byte are the same as those that are written as strings; and bytes that are
// handed over belong to nobody else.
import { expect, it } from "vitest";
import { CopyText } from "../../connectors/postgres/copy-text.ts";
import { CopyRowEncoder } from "../../connectors/postgres/row-encoder.ts";
import { valueText } from "../../connectors/postgres/value-text.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const ROUNDS = 10_000;

function written(value: unknown): string {
  const text = new CopyText();
  text.value(value);
  return Buffer.from(text.take()).toString();
}

it("writes numbers as String() does, but for -0", () => {
  const { seed, random } = seedOf("numbers");
  const edges = [
    0,
    1,
    9,
    10,
    1e9 - 1,
    1e9,
    1e9 + 1,
    2 ** 31,
    2 ** 32,
    1e15 - 1,
    1e15,
    2 ** 53 - 1,
    2 ** 53,
    1e21,
    1e22,
  ];
  const parts = [0.1, 0.01, 0.07, 1.005, 1e-6, 1e-7, 1.000001, 0.1 + 0.2, 5e-324, Number.MAX_VALUE, 123456789.654321];
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, 9_007_198_999_999_999, 9_999_999_999_999.99, 99_999_999.999999];
  const kinds = [
    () => numberBelow(random, 1_000),
    () => Math.floor(random() * 2 ** 53),
    () => Math.round(random() * 1e9) / 100,
    () => Math.round(random() * 1e15) / 1e6,
    () => (numberBelow(random, 9_000_000) + 1) * 1e9 - 1,
    () => random(),
    () => random() * 10 ** (numberBelow(random, 40) - 20),
  ];
  const randoms = Array.from({ length: ROUNDS }, (_, n) => kinds[n % kinds.length]?.() ?? 0);
  for (const size of [...edges, ...parts, ...odd, ...randoms]) {
    for (const value of [size, -size]) {
      expect(written(value), `TEST_SEED=${seed}`).toBe(Object.is(value, -0) ? "-0" : String(value));
    }
  }
});

it("writes texts of every length and character as they are written whole", () => {
  const { seed, random } = seedOf("texts");
  const characters = ["a", "~", "\\", "\n", "\r", "\t", "\v", "\u007f", "\u0080", "ü", "\u2028", "🌊", "'", '"'];
  for (let round = 0; round < ROUNDS; round++) {
    const isPlain = random() < 0.5;
    const text = Array.from({ length: numberBelow(random, 80) }, () =>
      isPlain ? "x" : characters[numberBelow(random, characters.length)],
    ).join("");
    expect(written(text), `TEST_SEED=${seed}`).toBe(valueText(text));
  }
});

it("gives bytes that nothing written later changes, and that another thread may take", () => {
  const encoder = new CopyRowEncoder({ columns: undefined, key: [] });
  const blockOf = (row: object) => {
    encoder.add(row);
    const data = encoder.take()?.data as readonly { bytes: Uint8Array<ArrayBuffer> }[] | undefined;
    return data?.[0]?.bytes ?? new Uint8Array();
  };
  const first = blockOf({ id: 1, name: "one" });
  const second = blockOf({ id: 2, name: "two" });
  expect(Buffer.from(first).toString()).toBe("1\tone\n");
  const { bytes } = structuredClone({ bytes: first }, { transfer: [first.buffer] });
  expect([bytes.byteLength, first.byteLength]).toEqual([6, 0]);
  expect(Buffer.from(second).toString()).toBe("2\ttwo\n");
});

it("takes a line back that cannot be finished, whatever its row was like", () => {
  const encoder = new CopyRowEncoder({ columns: undefined, key: [] });
  encoder.add({ id: 1, name: "one" });
  expect(() => encoder.add({ id: 2, name: "a\u0000b" })).toThrow(/column name: .*NUL/);
  expect(() => encoder.add({ id: 2, name: "x", more: Symbol("s") })).toThrow(/column more: a symbol/);
  encoder.add({ name: "three", id: 3 });
  encoder.add({ id: 4, name: `${"long ".repeat(4_000)}\t` });
  const blocks = encoder.take()?.data as readonly { columns: readonly string[]; bytes: Uint8Array }[];
  const long = `${"long ".repeat(4_000)}\\t`;
  expect(blocks.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
    "1\tone\n",
    `3\tthree\t\\N\n4\t${long}\t\\N\n`,
  ]);
});
