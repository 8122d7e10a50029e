// Rows as JSON, written straight into bytes: the very bytes of JSON.stringify, without the string between. It takes
// what rows mostly are, plain objects of numbers, short ASCII texts, booleans and null; of any other row it writes
// nothing, and the caller leaves that to JSON.stringify, which also tells what is wrong with it.
import { addNumber, MAX_NUMBER_BYTES } from "./json-number.ts";
import { MAX_LENGTH_BYTES, type RecordBytes, varintSize } from "./record-bytes.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** For longer ones the engine is faster. */
const MAX_TEXT = 200;
const NOTHING = new Uint8Array(0);
const WORDS = { true: Buffer.from("true"), false: Buffer.from("false"), null: Buffer.from("null") };

/** Writes rows; those of one shape, one after the other, are written fastest. */
export class RowJson {
  /** Of the row before, in order, and how each is written. */
  private names: string[] = [];
  private written: Uint8Array[] = [];
  private lengthSize = 1;

  /** Writes a row with its length before it. @returns false: it wrote nothing */
  add(out: RecordBytes, row: unknown): boolean {
    if (typeof row !== "object" || row === null || Object.getPrototypeOf(row) !== Object.prototype) return false;
    const fields = row as Readonly<Record<string, unknown>>;
    if (fields["toJSON"] !== undefined) return false;
    const start = out.length;
    out.reserve(MAX_LENGTH_BYTES + 1);
    const jsonStart = start + this.lengthSize;
    out.length = jsonStart;
    if (!this.addFields(out, fields)) {
      out.length = start;
      return false;
    }
    const count = out.length - jsonStart;
    const needed = varintSize(count);
    if (needed !== this.lengthSize) {
      out.reserve(needed);
      out.bytes.copyWithin(start + needed, jsonStart, jsonStart + count);
      this.lengthSize = needed;
    }
    out.length = start;
    out.putVarint(count);
    out.length += count;
    return true;
  }

  private addFields(out: RecordBytes, fields: Readonly<Record<string, unknown>>): boolean {
    let before = OPEN_OBJECT;
    const names = Object.keys(fields);
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      const value = fields[name];
      if (value === undefined) continue;
      const written = this.names[at] === name ? (this.written[at] ?? NOTHING) : this.learn(at, name);
      out.reserve(1 + written.length + Math.max(MAX_NUMBER_BYTES, MAX_TEXT + 2) + 1);
      out.bytes[out.length++] = before;
      before = COMMA;
      putBytes(out, written);
      if (typeof value === "number") addNumber(out, value);
      else if (typeof value === "string") {
        if (!putText(out, value)) return false;
      } else if (typeof value === "boolean") putBytes(out, value ? WORDS.true : WORDS.false);
      else if (value === null) putBytes(out, WORDS.null);
      else return false;
    }
    out.reserve(2);
    if (before === OPEN_OBJECT) out.bytes[out.length++] = OPEN_OBJECT;
    out.bytes[out.length++] = CLOSE_OBJECT;
    return true;
  }

  private learn(at: number, name: string): Uint8Array {
    const written = Buffer.from(`${JSON.stringify(name)}:`);
    this.names[at] = name;
    this.written[at] = written;
    return written;
  }
}

/** Room for them must have been made. */
function putBytes(out: RecordBytes, from: Uint8Array): void {
  const { bytes, length } = out;
  for (let at = 0; at < from.length; at++) bytes[length + at] = from[at] as number;
  out.length = length + from.length;
}

/** Writes a text that is short, ASCII and without escapes, for which there must be room. @returns whether it is that */
function putText(out: RecordBytes, text: string): boolean {
  const { bytes } = out;
  if (text.length > MAX_TEXT) return false;
  let next = out.length;
  bytes[next++] = QUOTE;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < SPACE || code >= 0x7f || code === QUOTE || code === BACKSLASH) return false;
    bytes[next++] = code;
  }
  bytes[next++] = QUOTE;
  out.length = next;
  return true;
}
