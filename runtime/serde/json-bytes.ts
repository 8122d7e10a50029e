// Walks over JSON in bytes without building anything: strings four bytes at a time, because they are most of a
// document. It takes exactly what JSON.parse takes of UTF-8 text, and says no to what is not JSON, and to deep nesting.
// A document's last byte is a closing brace, so that loops need not look for the end, but for those in strings.

/** What every method gives in place of a position when there is no such thing there. */
export const NO = -1;
/** Deeper values are left to JSON.parse. */
export const MAX_DEPTH = 64;

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const LETTER_F = 0x66;
export const LETTER_N = 0x6e;
export const LETTER_T = 0x74;
const LETTER_U = 0x75;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const BEYOND_ASCII = 0x80;
/** What may follow a backslash. */
const ESCAPED: readonly number[] = [...Buffer.from('"\\/bfnrtu')];

/** One document at a time. Positions are those in `buffer`; all methods take one below `end`. */
export class JsonBytes {
  buffer: Buffer = Buffer.alloc(0);
  /** The bytes of `buffer`. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** After the document's last brace. */
  end = 0;
  /** After the last position below `end` at which four bytes can be read. */
  wordsEnd = 0;

  /** Begins a document, from `start` (inclusive) to `end` (exclusive). @returns where its brace opens */
  open(buffer: Buffer, start: number, end: number): number {
    if (buffer !== this.buffer) {
      this.buffer = buffer;
      this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    }
    let last = end - 1;
    while (last > start && isSpace(buffer[last] as number)) last--;
    if (last <= start || buffer[last] !== CLOSE_OBJECT) return NO;
    this.end = last + 1;
    this.wordsEnd = Math.min(this.end, buffer.length - 3);
    const open = this.skipSpace(start);
    return buffer[open] === OPEN_OBJECT ? open : NO;
  }

  skipSpace(start: number): number {
    const { buffer } = this;
    let at = start;
    while (isSpace(buffer[at] as number)) at++;
    return at;
  }

  /** After the value that begins at `at`, inside of `depth` objects and arrays. */
  skipValue(at: number, depth: number): number {
    switch (this.buffer[at]) {
      case QUOTE:
        return this.skipString(at + 1);
      case OPEN_OBJECT:
        return depth < MAX_DEPTH ? this.skipObject(at + 1, depth + 1) : NO;
      case OPEN_ARRAY:
        return depth < MAX_DEPTH ? this.skipArray(at + 1, depth + 1) : NO;
      case LETTER_T:
        return this.skipWord(at, "true");
      case LETTER_F:
        return this.skipWord(at, "false");
      case LETTER_N:
        return this.skipWord(at, "null");
      default:
        return this.skipNumber(at);
    }
  }

  /** After the quote that ends a string; `start` is inside of it. */
  skipString(start: number): number {
    const { buffer, view, end, wordsEnd } = this;
    let at = start;
    for (;;) {
      at = skipPlain(buffer, view, at, end, wordsEnd);
      if (at >= end) return NO;
      const byte = buffer[at] as number;
      if (byte === QUOTE) return at + 1;
      if (byte >= BEYOND_ASCII) at = this.skipBeyondAscii(at);
      else at = byte === BACKSLASH ? this.skipEscape(at + 1) : NO;
      if (at === NO) return NO;
    }
  }

  /** After the characters from `start` on that are none of ASCII, of which there must be one. */
  skipBeyondAscii(start: number): number {
    const { buffer } = this;
    let at = start;
    do {
      const size = sequenceSize(buffer[at] as number, buffer[at + 1] as number);
      if (size === 0) return NO;
      if (size > 2 && ((buffer[at + 2] as number) & 0xc0) !== 0x80) return NO;
      if (size > 3 && ((buffer[at + 3] as number) & 0xc0) !== 0x80) return NO;
      at += size;
    } while ((buffer[at] as number) >= BEYOND_ASCII);
    return at;
  }

  private skipEscape(at: number): number {
    const { buffer } = this;
    if (!ESCAPED.includes(buffer[at] as number)) return NO;
    if (buffer[at] !== LETTER_U) return at + 1;
    for (let digit = at + 1; digit <= at + 4; digit++) if (!isHex(buffer[digit] as number)) return NO;
    return at + 5;
  }

  /** After the number at `start`. */
  skipNumber(start: number): number {
    const { buffer } = this;
    const whole = buffer[start] === MINUS ? start + 1 : start;
    let at = whole;
    while (isDigit(buffer[at] as number)) at++;
    if (at === whole || (buffer[whole] === ZERO && at - whole > 1)) return NO;
    if (buffer[at] === POINT) {
      const fraction = ++at;
      while (isDigit(buffer[at] as number)) at++;
      if (at === fraction) return NO;
    }
    return this.skipExponent(at);
  }

  /** After the exponent at `at`; `at` itself when there is none. */
  skipExponent(at: number): number {
    const { buffer } = this;
    if (((buffer[at] as number) | 0x20) !== 0x65) return at;
    let next = at + 1;
    if (buffer[next] === PLUS || buffer[next] === MINUS) next++;
    const first = next;
    while (isDigit(buffer[next] as number)) next++;
    return next === first ? NO : next;
  }

  /** After a word whose first letter is at `at`. */
  skipWord(at: number, word: string): number {
    const { buffer } = this;
    if (at + word.length > this.end) return NO;
    for (let index = 1; index < word.length; index++) if (buffer[at + index] !== word.charCodeAt(index)) return NO;
    return at + word.length;
  }

  /** Where the value begins whose name ended before `at`. */
  skipColon(at: number): number {
    const colon = this.skipSpace(at);
    return this.buffer[colon] === COLON ? this.skipSpace(colon + 1) : NO;
  }

  private skipObject(start: number, depth: number): number {
    const { buffer, end } = this;
    let at = this.skipSpace(start);
    if (buffer[at] === CLOSE_OBJECT) return at + 1;
    for (;;) {
      if (buffer[at] !== QUOTE) return NO;
      at = this.skipString(at + 1);
      if (at !== NO) at = this.skipColon(at);
      if (at !== NO) at = this.skipValue(at, depth);
      if (at === NO || at >= end) return NO;
      at = this.skipSpace(at);
      const next = buffer[at++];
      if (next === CLOSE_OBJECT) return at;
      if (next !== COMMA) return NO;
      at = this.skipSpace(at);
    }
  }

  private skipArray(start: number, depth: number): number {
    const { buffer, end } = this;
    let at = this.skipSpace(start);
    if (buffer[at] === CLOSE_ARRAY) return at + 1;
    for (;;) {
      at = this.skipValue(at, depth);
      if (at === NO || at >= end) return NO;
      at = this.skipSpace(at);
      const next = buffer[at++];
      if (next === CLOSE_ARRAY) return at;
      if (next !== COMMA) return NO;
      at = this.skipSpace(at);
    }
  }
}

/**
 * From `start` to the first byte that ends a string or does not stand for itself in one, `end` at most. The last two
 * parameters are JsonBytes': what is called for each string must not look things up.
 */
export function skipPlain(buffer: Buffer, view: DataView, start: number, end: number, wordsEnd: number): number {
  let at = start;
  for (; at < wordsEnd; at += 4) {
    const word = view.getInt32(at, true);
    // The high bit of each byte that is a quote or a control, a backslash, or none of ASCII. Only such a byte can
    // borrow from the next one, so that the lowest of these bits is right.
    const found =
      ((((word ^ 0x02020202) - 0x21212121) & ~word) | (((word ^ 0x5c5c5c5c) - 0x01010101) & ~word) | word) & 0x80808080;
    if (found !== 0) return at + ((31 - Math.clz32(found & -found)) >> 3);
  }
  for (; at < end; at++) {
    const byte = buffer[at] as number;
    if (byte === QUOTE || byte === BACKSLASH || byte < SPACE || byte >= BEYOND_ASCII) break;
  }
  return at;
}

/** Whether a byte is one of 0 to 9. */
export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

function isSpace(byte: number): boolean {
  return byte <= SPACE && (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09);
}

function isHex(byte: number): boolean {
  return isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}

/**
 * How many bytes the character has that begins with these two, by table 3-7 of the Unicode standard, "Well-Formed
 * UTF-8 Byte Sequences"; 0 when none does.
 */
function sequenceSize(first: number, second: number): number {
  if ((second & 0xc0) !== 0x80) return 0;
  if (first < 0xe0) return first < 0xc2 ? 0 : 2;
  if (first < 0xf0) return (first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) ? 0 : 3;
  return first > 0xf4 || (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f) ? 0 : 4;
}
