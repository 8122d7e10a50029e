// Finds wanted fields in the bytes of a JSON object in one pass, without building what nobody asked for. It either
// takes the document exactly as JSON.parse would, or says no: then the caller parses it and finds out what is wrong. It
// says no to whatever is rare or not as wanted: duplicate wanted keys, escaped keys, deep nesting, another type. For
// each member it first looks whether it is the one that was there in documents before.
import { asciiText } from "./ascii-text.ts";
import {
  CLOSE_OBJECT,
  COMMA,
  isDigit,
  JsonBytes,
  LETTER_F,
  LETTER_N,
  LETTER_T,
  MAX_DEPTH,
  NO,
  OPEN_OBJECT,
  QUOTE,
  skipPlain,
} from "./json-bytes.ts";
import type { JsonField, JsonFieldTree } from "./json-fields.ts";
import { isAt } from "./json-layout.ts";
import { NumberReader } from "./number-reader.ts";

/** Reads one document after another; what it found is in `slots` until the next. */
export class JsonScanner {
  /** By a field's slot: its value; undefined, which is none of JSON's, when there was none. */
  readonly slots: unknown[];
  private readonly tree: JsonFieldTree;
  private readonly bytes = new JsonBytes();
  private readonly numbers = new NumberReader();
  /** What `otherGap` found beside the value's place: the wanted field, and the gap to expect after this one. */
  private field: JsonField | undefined;
  private next = 0;

  constructor(tree: JsonFieldTree, slots: number) {
    this.tree = tree;
    this.slots = new Array(slots).fill(undefined);
  }

  /** Whether `buffer` from `start` (inclusive) to `end` (exclusive) was taken. */
  scan(buffer: Buffer, start: number, end: number): boolean {
    const { bytes, slots } = this;
    for (let slot = 0; slot < slots.length; slot++) slots[slot] = undefined;
    const open = bytes.open(buffer, start, end);
    return open !== NO && this.object(this.tree, open + 1, 1) === bytes.end;
  }

  /**
   * Reads the members of an object from after its brace; gives the place after its end. It is the hottest loop: what
   * most members are is in it, and all else in functions.
   */
  private object(tree: JsonFieldTree, start: number, depth: number): number {
    const { bytes, slots } = this;
    const { buffer, view, end, wordsEnd } = bytes;
    const { gaps } = tree.layout;
    let at = start;
    // The place of the gap that is to be expected; 0 for the first member, and only for that.
    let next = 0;
    for (;;) {
      let field: JsonField | undefined;
      const gap = next < gaps.length ? gaps[next] : undefined;
      if (gap !== undefined && isAt(gap, view, at, end)) {
        field = gap.field;
        at += gap.length;
        next++;
      } else {
        if (at >= end) return NO;
        const afterSpace = bytes.skipSpace(at);
        if (buffer[afterSpace] === CLOSE_OBJECT) return afterSpace + 1;
        at = this.otherGap(tree, at, afterSpace, next);
        if (at === NO) return NO;
        field = this.field;
        next = this.next;
      }
      const byte = buffer[at] as number;
      if (byte === QUOTE) {
        const inside = at + 1;
        at = skipPlain(buffer, view, inside, end, wordsEnd);
        const isPlain = at < end && buffer[at] === QUOTE;
        if (field === undefined) at = isPlain ? at + 1 : bytes.skipString(at);
        else if (!isPlain || field.kind !== "string" || slots[field.slot] !== undefined) {
          at = this.value(field, inside - 1, depth);
        } else slots[field.slot] = asciiText(buffer, inside, at++);
      } else if (field !== undefined) at = this.value(field, at, depth);
      else at = isDigit(byte) ? bytes.skipNumber(at) : bytes.skipValue(at, depth);
      if (at === NO) return NO;
    }
  }

  /**
   * The place of a member's value where another gap stands than the one that was expected: from `start`, where the
   * value before ended, over `afterSpace`, where its comma must be, unless it is the first member.
   */
  private otherGap({ layout, byLength }: JsonFieldTree, start: number, afterSpace: number, expected: number): number {
    const { bytes } = this;
    const { buffer, view, end } = bytes;
    const found = layout.find(view, start, end, expected);
    const gap = layout.gaps[found];
    if (gap !== undefined) {
      this.field = gap.field;
      this.next = found + 1;
      return start + gap.length;
    }
    const isFirst = expected === 0;
    let at = afterSpace;
    if (!isFirst) {
      if (buffer[at] !== COMMA) return NO;
      at = bytes.skipSpace(at + 1);
    }
    if (buffer[at] !== QUOTE) return NO;
    const name = at + 1;
    at = this.skipName(name);
    if (at === NO) return NO;
    this.field = fieldNamed(byLength[at - name], buffer, name);
    at = bytes.skipColon(at + 1);
    if (at !== NO) this.next = layout.missed(expected, view, start, at, this.field);
    return at;
  }

  /** The place of the quote that ends a name without escapes. */
  private skipName(start: number): number {
    const { bytes } = this;
    const { buffer, view, end, wordsEnd } = bytes;
    let at = start;
    for (;;) {
      at = skipPlain(buffer, view, at, end, wordsEnd);
      if (at >= end) return NO;
      if (buffer[at] === QUOTE) return at;
      at = bytes.skipBeyondAscii(at);
      if (at === NO) return NO;
    }
  }

  /** Reads a wanted field's value into its slot; gives the place after it. */
  private value(field: JsonField, at: number, depth: number): number {
    const { bytes, slots } = this;
    if (slots[field.slot] !== undefined) return NO;
    const byte = bytes.buffer[at];
    if (byte === LETTER_N) {
      if (!field.isOptional) return NO;
      slots[field.slot] = null;
      return bytes.skipWord(at, "null");
    }
    switch (field.kind) {
      case "number": {
        const after = this.numbers.read(bytes, at);
        slots[field.slot] = this.numbers.value;
        return after;
      }
      case "string":
        return byte === QUOTE ? this.otherString(field, at) : NO;
      case "boolean":
        if (byte !== LETTER_T && byte !== LETTER_F) return NO;
        slots[field.slot] = byte === LETTER_T;
        return bytes.skipWord(at, byte === LETTER_T ? "true" : "false");
      case "json":
        return this.any(field, at, depth);
      case "object":
        if (byte !== OPEN_OBJECT || field.below === undefined || depth >= MAX_DEPTH) return NO;
        slots[field.slot] = true;
        return this.object(field.below, at + 1, depth + 1);
    }
  }

  /** A string that is not plain ASCII. Its escapes are left to JSON.parse. */
  private otherString(field: JsonField, quote: number): number {
    const { bytes } = this;
    const after = bytes.skipString(quote + 1);
    if (after === NO) return NO;
    const text = bytes.buffer.toString("utf8", quote + 1, after - 1);
    this.slots[field.slot] = text.includes("\\") ? JSON.parse(`"${text}"`) : text;
    return after;
  }

  private any(field: JsonField, start: number, depth: number): number {
    const { bytes } = this;
    const after = bytes.skipValue(start, depth);
    if (after !== NO) this.slots[field.slot] = JSON.parse(bytes.buffer.toString("utf8", start, after));
    return after;
  }
}

/** The one of these fields whose name stands at `start`, where a name of their length is. */
function fieldNamed(fields: readonly JsonField[] | undefined, buffer: Buffer, start: number): JsonField | undefined {
  if (fields === undefined) return undefined;
  for (const field of fields) {
    const { bytes } = field;
    let index = 0;
    while (index < bytes.length && bytes[index] === buffer[start + index]) index++;
    if (index === bytes.length) return field;
  }
  return undefined;
}
