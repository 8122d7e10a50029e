// `json({ … })` against JSON.parse: the same value or an error for every document, right or wrong, and messages that
// name the field.
import { describe, expect, it } from "vitest";
import { ConfigError, json } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { expected, fields, isSame, newDecoder } from "./expected-projection.ts";

const isNightly = process.env["NIGHTLY"] !== undefined;
const DOCUMENTS = isNightly ? 10_000_000 : 50_000;

const decoder = json(fields);

function decode(text: string): unknown {
  return decoder.deserialize(new TextEncoder().encode(text), { topic: "t", partition: 0, headers: [] });
}

/** Random documents: mostly right, with all that JSON allows, then damaged now and then; some are like the last one. */
class Documents {
  private readonly random: () => number;
  private last = "{}";

  constructor(random: () => number) {
    this.random = random;
  }

  next(): Uint8Array {
    const kind = this.below(5);
    if (kind > 1) this.last = this.object(["id", "user", "on", "any", "note", "address", "extra"], 3);
    const bytes = new TextEncoder().encode(kind === 0 ? this.rearranged(this.last) : this.last);
    if (this.below(4) > 0) return bytes;
    for (let changes = this.below(3) + 1; changes > 0; changes--) {
      if (bytes.length > 0) bytes[this.below(bytes.length)] = this.pick([...DAMAGE, this.below(256)]);
    }
    return this.below(4) > 0 ? bytes : bytes.subarray(0, this.below(bytes.length + 1));
  }

  /** With a comma, a brace or what stands between two of them left out, moved or doubled. */
  private rearranged(text: string): string {
    const parts = text.split(/(?=[,{}])|(?<=[,{])/);
    const [part = ""] = parts.splice(this.below(parts.length), 1);
    const copies = this.below(3);
    for (let copy = 0; copy < copies; copy++) parts.splice(this.below(parts.length + 1), 0, part);
    return parts.join("");
  }

  private object(names: readonly string[], depth: number): string {
    const members: string[] = [];
    for (const name of names) {
      if (this.below(8) === 0) continue;
      members.push(this.member(name, depth));
      if (this.below(40) === 0) members.push(this.member(name, depth));
    }
    if (this.below(4) === 0) members.reverse();
    const inside = members.join(`${this.space()},${this.space()}`);
    return `${this.space()}{${this.space()}${inside}${this.space()}}${this.space()}`;
  }

  private member(name: string, depth: number): string {
    const key = this.below(50) === 0 ? `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"` : `"${name}"`;
    const value = this.below(30) === 0 ? this.value(depth) : this.valueFor(name, depth);
    return `${key}${this.space()}:${this.space()}${value}`;
  }

  private valueFor(name: string, depth: number): string {
    if (name === "id" || name === "lat") return this.number();
    if (name === "user" || name === "note" || name === "city") return this.string();
    if (name === "on") return this.pick(["true", "false", "null"]);
    if (name === "address") return this.object(["city", "geo"], depth - 1);
    if (name === "geo") return this.object(["lat", "lon"], depth - 1);
    return this.value(depth);
  }

  private value(depth: number): string {
    const kind = this.below(depth > 0 ? 7 : 5);
    if (kind === 5) return `[${Array.from({ length: this.below(4) }, () => this.value(depth - 1)).join(",")}]`;
    if (kind === 6) return this.object(["a", "id", "deep"], depth - 1);
    return kind === 0 ? this.number() : kind === 1 ? this.string() : this.pick(["true", "false", "null"]);
  }

  private number(): string {
    const digits = (most: number) => String(Math.floor(this.random() * 10 ** (this.below(most) + 1)));
    return this.pick([
      () => digits(6),
      () => `-${digits(4)}`,
      () => `${digits(5)}.${digits(5)}`,
      () => `${digits(15)}.${digits(15)}`,
      () => `${digits(3)}e${this.pick(["", "+", "-"])}${digits(2)}`,
      () => this.pick(["0", "-0", "-0.0", "1E5", "0.1", "1e400", "9007199254740993", "123456789012345678", "5e-324"]),
      () => this.pick(["01", "1.", ".5", "-", "+1", "1e", "0x1", "NaN", "1_0"]),
    ])();
  }

  private string(): string {
    const piece = () =>
      this.pick([
        "a",
        "user-7",
        "Zürich",
        "日本",
        "😀",
        '\\"',
        "\\\\",
        "\\/",
        "\\n",
        "\\u0041",
        "\\ud83d\\ude00",
        "\\ud800",
        " ",
        "",
        "\u2028",
      ]);
    if (this.below(60) === 0) return `"${this.pick(["\\x", "\\u12", "\u0001", "\t", "\\"])}"`;
    return `"${Array.from({ length: this.below(5) }, piece).join("")}"`;
  }

  private space(): string {
    return this.below(12) === 0 ? this.pick([" ", "\n", "\t", "\r\n", "  "]) : "";
  }

  private below(limit: number): number {
    return numberBelow(this.random, limit);
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

const DAMAGE = [...Buffer.from('"{}[]:,\\0 e.-')];

it(`gives what JSON.parse gives, or an error where it does (${DOCUMENTS.toLocaleString("en")} documents)`, {
  timeout: 1_800_000,
}, () => {
  const { seed, random } = seedOf("documents");
  const documents = new Documents(random);
  let right = 0;
  const read = newDecoder();
  for (let count = 0; count < DOCUMENTS; count++) {
    const bytes = documents.next();
    const wanted = expected(bytes);
    const found = read(bytes);
    if (wanted !== undefined) right++;
    if (!isSame(found, wanted)) {
      expect({ seed, document: Buffer.from(bytes).toString(), found }).toEqual({ found: wanted });
    }
  }
  expect(right).toBeGreaterThan(DOCUMENTS / 5);
});

it("takes a document out of the middle of a buffer, and nothing around it", () => {
  const only = json({ id: "number" });
  if (!("deserializeSlice" in only)) throw new Error("it reads no slices");
  const slice = only.deserializeSlice as (buffer: Buffer, start: number, end: number) => unknown;
  const buffer = Buffer.from('x{"id":1}}{"id":12');
  expect(slice(buffer, 1, 9)).toEqual({ id: 1 });
  expect(() => slice(buffer, 1, 8)).toThrow();
  expect(() => slice(buffer, 1, 10)).toThrow();
  expect(() => slice(buffer, 10, 18)).toThrow();
});

describe("messages name the field", () => {
  it.each([
    ['{"user":"u"}', "id is missing"],
    ['{"id":null,"user":"u"}', "id is null"],
    ['{"id":"7","user":"u"}', "id is a string, not a number"],
    ['{"id":7,"user":["u"]}', "user is an array, not a string"],
    ['{"id":7,"user":"u","address":"Bern"}', "address is a string, not an object"],
    ['{"id":7,"user":"u","address":{"geo":{"lat":"47"}}}', "address.geo.lat is a string, not a number"],
    ["[1]", "the value is an array, not an object"],
    ["null", "the value is null, not an object"],
  ])("%s", (text, message) => {
    expect(() => decode(text)).toThrow(message);
  });
});

it("has every field, with null for those that may be missing", () => {
  expect(decode('{"user":"u","id":1}')).toEqual({
    ...{ id: 1, user: "u", on: null, any: null, note: null },
    address: { city: null, geo: { lat: null } },
  });
});

it.each([
  [{}, /names no field/],
  [{ id: "numbr" }, /type of id cannot be "numbr"/],
  [{ a: "string", "a.b": "string" }, /names a and a field inside/],
  [{ "a..b": "string" }, /field named "a..b"/],
  [{ "__proto__.x": "string" }, /field named/],
])("%j is refused", (wanted, message) => {
  const make = () => json(wanted as { id: "number" });
  expect(make).toThrow(ConfigError);
  expect(make).toThrow(message);
});
