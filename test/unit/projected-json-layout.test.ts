// Documents that are almost like the one before, which is what the scanner guesses from: whatever was changed, left
// out, doubled or cut off, the value is JSON.parse's, and so is the error.
import { expect, it } from "vitest";
import { expected, isSame, newDecoder } from "./expected-projection.ts";

/** Written instead of each byte and before it: all that has a meaning in JSON, and some letters. */
const BYTES = [...Buffer.from('"\\{}[]:,0-.e ntu'), 0x00, 0x0a, 0x1f, 0x7f, 0x80, 0xc3, 0xed, 0xff];

const written: readonly (readonly [string, string])[] = [
  ["compact", '{"id":7,"user":"u","extra":[1,{"id":2}],"address":{"city":"B","geo":{"lat":-4.5}},"on":true,"q":0}'],
  ["with spaces", '{ "id" : 7 ,\n  "user":\t"u", "note": null,"address": { "geo" :{"lat":1}}\r\n}'],
  ["with long names", '{"a-name-that-is-longer":1,"id":7,"another-long-name":"ü","user":"ß","k\\u0061y":false}'],
  ["with what is not wanted last", '{"id":12345678901,"user":"a longer user","x":"\\"","y":"plain text","":1e5}'],
];

it.each(written)("knows a changed byte in a document that is %s", (_, text) => {
  const document = Buffer.from(text);
  const read = newDecoder();
  const check = (changed: Buffer) => {
    if (!isSame(read(document), expected(document))) expect(read(document)).toEqual(expected(document));
    const [found, wanted] = [read(changed), expected(changed)];
    if (!isSame(found, wanted)) expect({ document: changed.toString(), found }).toEqual({ found: wanted });
  };
  expect(expected(document)).toBeDefined();
  for (let at = 0; at <= document.length; at++) {
    const [before, after] = [document.subarray(0, at), document.subarray(at)];
    check(Buffer.from(before));
    check(Buffer.concat([before, after.subarray(1)]));
    for (const byte of BYTES) {
      check(Buffer.concat([before, Buffer.of(byte), after]));
      check(Buffer.concat([before, Buffer.of(byte), after.subarray(1)]));
    }
  }
});

it.each(written)("knows members that are left out, doubled or moved in a document that is %s", (_, text) => {
  const read = newDecoder();
  const parts = text.split(/(?=[,{}])|(?<=[,{])/);
  for (let from = 0; from < parts.length; from++) {
    for (let to = 0; to < parts.length; to++) {
      for (const kept of [0, 1]) {
        const others = parts.toSpliced(from, 1 - kept);
        for (const changed of [others, others.toSpliced(to, 0, parts[from] ?? "")]) {
          read(Buffer.from(text));
          const document = Buffer.from(changed.join(""));
          const [found, wanted] = [read(document), expected(document)];
          if (!isSame(found, wanted)) expect({ document: document.toString(), found }).toEqual({ found: wanted });
        }
      }
    }
  }
});

it("takes up what documents have become, and still reads those of before", () => {
  const read = newDecoder();
  for (let count = 0; count < 500; count++) {
    const order = count < 250 ? ["id", "user", "note"] : ["note", "more", "user", "on", "id"];
    const values: Record<string, string> = { id: "1", user: '"u"', note: '"n"', more: "{}", on: "true" };
    const document = Buffer.from(`{${order.map((name) => `"${name}":${values[name]}`).join(", ")}}`);
    expect(isSame(read(document), expected(document))).toBe(true);
  }
  const plain = Buffer.from('{"id":1,"user":"u"}');
  expect(read(plain)).toEqual(expected(plain));
});

it("reads documents whose members are more, or longer, than it cares to learn", () => {
  const read = newDecoder();
  const names = Array.from({ length: 200 }, (_, index) => `${"n".repeat(index)}-${index}`);
  const document = Buffer.from(`{${names.map((name) => `"${name}":[{}]`).join(",")},"user":"u","id":3}`);
  for (let count = 0; count < 3; count++) expect(read(document)).toEqual(expected(document));
});

it.each(["note", "skipped"])("takes well-formed UTF-8 and nothing else in a text that is %s", (name) => {
  const read = newDecoder();
  const [before, after] = [Buffer.from(`{"id":1,"user":"u","${name}":"`), Buffer.from('"}')];
  // Around each boundary of the table of well-formed sequences.
  const seconds = [0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0];
  const others = [0x61, 0x80, 0xbf, 0xc0];
  for (let first = 0x80; first <= 0xff; first++) {
    for (const second of seconds) {
      for (const third of first < 0xe0 ? [0x61] : others) {
        for (const fourth of first < 0xf0 ? [0x61] : others) {
          const document = Buffer.concat([before, Buffer.of(first, second, third, fourth), after]);
          const [found, wanted] = [read(document), expected(document)];
          if (!isSame(found, wanted)) expect({ document: document.toString("hex"), found }).toEqual({ found: wanted });
        }
      }
    }
  }
});

it.each([
  ["1", 1],
  ["12345678", 12345678],
  ["123456789", 123456789],
  ["1234567890", 1234567890],
  ["999999999999999", 999999999999999],
  ["1234567890123456", 1234567890123456],
  ["4294967296", 4294967296],
  ["-2147483649", -2147483649],
  ["0.1", 0.1],
  ["123456789.5", 123456789.5],
  ["12345678.25", 12345678.25],
  ["0.000000000000001", 1e-15],
  ["-0", -0],
])("reads the number %s", (text, number) => {
  expect(newDecoder()(Buffer.from(`{"user":"","id":${text}}`))).toMatchObject({ id: number });
});
