// Finds wanted fields in the bytes of a JSON object in one pass, without building what nobody asked for. It either
// takes the document exactly as JSON.parse would, or says no: then the caller parses it and finds out what is wrong. It
// says no to whatever is rare or not as wanted: duplicate wanted keys, escaped keys, deep nesting, another type.
import { asciiText } from "./ascii-text.ts";
import type { JsonField, JsonFieldTree } from "./json-fields.ts";
import { NumberReader } from "./number-reader.ts";

/** Nothing was found for a field. No JSON value is it. */
export const ABSENT = Symbol("absent");

const NO = -1;
const MAX_DEPTH = 64;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
const SPACE = 0x20;
/** What may follow a backslash. */
const ESCAPED: readonly number[] = [...Buffer.from('"\\/bfnrtu')];

/** What a byte is inside of a string. */
const PLAIN = 0;
const ENDS = 1;
const ESCAPES = 2;
const FORBIDDEN = 3;
const BEYOND_ASCII = 4;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE) return ENDS;
  if (byte === 0x5c) return ESCAPES;
  if (byte < SPACE) return FORBIDDEN;
  return byte < 0x80 ? PLAIN : BEYOND_ASCII;
});

/** Reads one document after another; what it found is in `slots` until the next. */
export class JsonScanner {
  /** By a field's slot: its value, or ABSENT. */
  readonly slots: unknown[];
  private readonly tree: JsonFieldTree;
  private readonly numbers = new NumberReader();
  private buffer: Buffer = Buffer.alloc(0);
  private end = 0;
  /** Set when any byte is none of ASCII: then the document must be checked to be UTF-8. */
  hasMoreThanAscii = false;

  constructor(tree: JsonFieldTree, slots: number) {
    this.tree = tree;
    this.slots = new Array(slots).fill(ABSENT);
  }

  /** Whether `buffer` from `start` (inclusive) to `end` (exclusive) was taken. */
  scan(buffer: Buffer, start: number, end: number): boolean {
    this.buffer = buffer;
    this.end = end;
    this.hasMoreThanAscii = false;
    this.slots.fill(ABSENT);
    const open = this.skipSpace(start);
    if (open >= end || buffer[open] !== OPEN_OBJECT) return false;
    const after = this.object(this.tree, open + 1, 1);
    return after !== NO && this.skipSpace(after) === end;
  }

  /** Reads the members of an object from after its brace; gives the place after its end. */
  private object(tree: JsonFieldTree, start: number, depth: number): number {
    const { buffer } = this;
    let at = start;
    if ((buffer[at] as number) <= SPACE) at = this.skipSpace(at);
    if (buffer[at] === CLOSE_OBJECT) return at + 1;
    for (;;) {
      if (buffer[at] !== QUOTE) return NO;
      const nameStart = at + 1;
      at = this.name(nameStart);
      if (at === NO) return NO;
      const field = this.fieldNamed(tree, nameStart, at);
      at++;
      if ((buffer[at] as number) <= SPACE) at = this.skipSpace(at);
      if (buffer[at] !== COLON) return NO;
      at++;
      if ((buffer[at] as number) <= SPACE) at = this.skipSpace(at);
      at = field === undefined ? this.skipValue(at, depth) : this.value(field, at, depth);
      if (at === NO) return NO;
      if ((buffer[at] as number) <= SPACE) at = this.skipSpace(at);
      const next = buffer[at++];
      if (next === CLOSE_OBJECT) return at;
      if (next !== COMMA) return NO;
      if ((buffer[at] as number) <= SPACE) at = this.skipSpace(at);
    }
  }

  /** The place of the quote that ends a name without escapes. */
  private name(start: number): number {
    const { buffer, end } = this;
    for (let at = start; at < end; at++) {
      const kind = KINDS[buffer[at] as number] as number;
      if (kind === PLAIN) continue;
      if (kind === ENDS) return at;
      if (kind !== BEYOND_ASCII) return NO;
      this.hasMoreThanAscii = true;
    }
    return NO;
  }

  private fieldNamed(tree: JsonFieldTree, start: number, end: number): JsonField | undefined {
    const candidates = tree.byLength[end - start];
    if (candidates === undefined) return undefined;
    for (const field of candidates) if (this.isAt(field.bytes, start)) return field;
    return undefined;
  }

  private isAt(bytes: Uint8Array, start: number): boolean {
    const { buffer } = this;
    for (let index = 0; index < bytes.length; index++) if (bytes[index] !== buffer[start + index]) return false;
    return true;
  }

  /** Reads a wanted field's value into its slot; gives the place after it. */
  private value(field: JsonField, at: number, depth: number): number {
    const { buffer, slots } = this;
    if (at >= this.end || slots[field.slot] !== ABSENT) return NO;
    const byte = buffer[at];
    if (byte === LETTER_N) {
      if (!field.isOptional) return NO;
      slots[field.slot] = null;
      return this.literal(at, "null");
    }
    switch (field.kind) {
      case "number": {
        const after = this.numbers.read(buffer, at, this.end);
        slots[field.slot] = this.numbers.value;
        return after;
      }
      case "string":
        return byte === QUOTE ? this.string(field, at + 1) : NO;
      case "boolean":
        if (byte !== LETTER_T && byte !== LETTER_F) return NO;
        slots[field.slot] = byte === LETTER_T;
        return this.literal(at, byte === LETTER_T ? "true" : "false");
      case "json":
        return this.any(field, at, depth);
      case "object":
        if (byte !== OPEN_OBJECT || field.below === undefined || depth >= MAX_DEPTH) return NO;
        slots[field.slot] = true;
        return this.object(field.below, at + 1, depth + 1);
    }
  }

  private string(field: JsonField, start: number): number {
    const { buffer, end } = this;
    let isAscii = true;
    for (let at = start; at < end; at++) {
      const kind = KINDS[buffer[at] as number] as number;
      if (kind === PLAIN) continue;
      if (kind === ENDS) {
        this.slots[field.slot] = isAscii ? asciiText(buffer, start, at) : buffer.toString("utf8", start, at);
        return at + 1;
      }
      if (kind === ESCAPES) return this.escaped(field, start, at);
      if (kind === FORBIDDEN) return NO;
      isAscii = false;
      this.hasMoreThanAscii = true;
    }
    return NO;
  }

  /** A string with escapes: found to its end here, and left to JSON.parse. */
  private escaped(field: JsonField, start: number, firstEscape: number): number {
    const after = this.skipString(firstEscape);
    if (after !== NO) this.slots[field.slot] = JSON.parse(this.buffer.toString("utf8", start - 1, after));
    return after;
  }

  private any(field: JsonField, start: number, depth: number): number {
    const after = this.skipValue(start, depth);
    if (after !== NO) this.slots[field.slot] = JSON.parse(this.buffer.toString("utf8", start, after));
    return after;
  }

  /** The place after a value that nobody wants; it must be JSON all the same. */
  private skipValue(at: number, depth: number): number {
    if (at >= this.end) return NO;
    switch (this.buffer[at]) {
      case QUOTE:
        return this.skipString(at + 1);
      case OPEN_OBJECT:
        return depth < MAX_DEPTH ? this.object(NOTHING_WANTED, at + 1, depth + 1) : NO;
      case OPEN_ARRAY:
        return depth < MAX_DEPTH ? this.skipArray(at + 1, depth + 1) : NO;
      case LETTER_T:
        return this.literal(at, "true");
      case LETTER_F:
        return this.literal(at, "false");
      case LETTER_N:
        return this.literal(at, "null");
      default:
        return this.numbers.read(this.buffer, at, this.end);
    }
  }

  private skipString(start: number): number {
    const { buffer, end } = this;
    for (let at = start; at < end; at++) {
      const kind = KINDS[buffer[at] as number] as number;
      if (kind === PLAIN) continue;
      if (kind === ENDS) return at + 1;
      if (kind === FORBIDDEN) return NO;
      if (kind === BEYOND_ASCII) this.hasMoreThanAscii = true;
      if (kind !== ESCAPES) continue;
      at = this.skipEscape(at + 1);
      if (at === NO) return NO;
    }
    return NO;
  }

  /** The last place of an escape whose letter is at `at`. */
  private skipEscape(at: number): number {
    const { buffer } = this;
    if (!ESCAPED.includes(buffer[at] as number)) return NO;
    if (buffer[at] !== LETTER_U) return at;
    for (let digit = at + 1; digit <= at + 4; digit++) if (!isHex(buffer[digit] as number)) return NO;
    return at + 4;
  }

  private skipArray(start: number, depth: number): number {
    const { buffer, end } = this;
    let at = this.skipSpace(start);
    if (at < end && buffer[at] === CLOSE_ARRAY) return at + 1;
    for (;;) {
      at = this.skipValue(at, depth);
      if (at === NO) return NO;
      at = this.skipSpace(at);
      if (at >= end) return NO;
      const next = buffer[at];
      if (next === CLOSE_ARRAY) return at + 1;
      if (next !== COMMA) return NO;
      at = this.skipSpace(at + 1);
    }
  }

  private literal(at: number, word: string): number {
    const { buffer, end } = this;
    if (at + word.length > end) return NO;
    for (let index = 0; index < word.length; index++) if (buffer[at + index] !== word.charCodeAt(index)) return NO;
    return at + word.length;
  }

  private skipSpace(start: number): number {
    const { buffer, end } = this;
    let at = start;
    while (at < end) {
      const byte = buffer[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    return at;
  }
}

const NOTHING_WANTED: JsonFieldTree = { fields: [], byLength: [], empty: {} };

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
