// Rows as the text format of `copy` (https://www.postgresql.org/docs/current/sql-copy.html), written straight into
// bytes: the server reads each value by its column's type. Short ASCII texts and usual numbers, which are nearly all
// there is, are written byte by byte; strings are only made for the rest. What stands there is the same either way.
import { valueText } from "./value-text.ts";

const FIRST_BYTES = 8 * 1024;
/** A buffer is kept for the next rows up to this size. */
const KEPT_BYTES = 1024 * 1024;
/** Longer texts are written by the engine's own encoder. */
const SHORT_TEXT = 64;
/** UTF-8 of one UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;
/** "-", up to 16 digits, "." and 6 digits more. */
const MAX_NUMBER_BYTES = 24;
const TAB = 9;
const NEWLINE = 10;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const BACKSLASH = 92;
const LAST_ASCII = 127;
/** NUL, tab, newline and carriage return are below. */
const LAST_CONTROL_WITH_ESCAPE = 13;
/**
 * Two decimals of that many digits are never the same double, so that digits that give the number back are the shortest
 * that do: what String() writes.
 */
const MAX_EXACT = 1e15;
const NINE_DIGITS = 1e9;
/** Gathers lines; a line that cannot be finished is taken back by `rewind`. */
export class CopyText {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  /** Bytes gathered since the last `take`. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written after `length` was this. */
  rewind(length: number): void {
    this.#length = length;
  }

  /** What was gathered, in an ArrayBuffer of its own, so that it can be given to another thread. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.#length);
    taken.set(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return taken;
  }

  /** Between two values. */
  separator(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = TAB;
  }

  endOfLine(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = NEWLINE;
  }

  /** One value. @throws TypeError | RangeError there is no text for it; a part of it may be there then */
  value(value: unknown): void {
    if (typeof value === "string" && value.length <= SHORT_TEXT) this.#shortText(value);
    else if (typeof value === "number") this.#number(value);
    else this.#text(valueText(value));
  }

  /** Text that needs no escapes any more. */
  #text(text: string): void {
    this.#reserve(text.length * MAX_BYTES_PER_UNIT);
    this.#length += this.#bytes.write(text, this.#length);
  }

  #shortText(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code <= LAST_CONTROL_WITH_ESCAPE || code === BACKSLASH || code > LAST_ASCII) {
        this.#text(valueText(text));
        return;
      }
      bytes[at++] = code;
    }
    this.#length = at;
  }

  #number(value: number): void {
    this.#reserve(MAX_NUMBER_BYTES);
    const size = Math.abs(value);
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value < 0) this.#bytes[this.#length++] = MINUS;
      this.#integer(size);
      return;
    }
    if (this.#decimal(value, size, 100, 2) || this.#decimal(value, size, 1_000_000, 6)) return;
    this.#text(valueText(value));
  }

  /** Writes a number that so few decimals give exactly; scale is 10 to the number of decimals. */
  #decimal(value: number, size: number, scale: number, decimals: number): boolean {
    const scaled = Math.round(size * scale);
    // The quotient of two exact numbers is the double nearest to the decimal. Not 0, which would lose its sign.
    if (!(scaled > 0 && scaled < MAX_EXACT && scaled / scale === size)) return false;
    if (value < 0) this.#bytes[this.#length++] = MINUS;
    const whole = Math.floor(scaled / scale);
    this.#integer(whole);
    this.#fraction(scaled - whole * scale, decimals);
    return true;
  }

  /** 0 to 2^53 − 1. */
  #integer(value: number): void {
    if (value < NINE_DIGITS) {
      this.#digits(value, digitCount(value));
      return;
    }
    let high = Math.floor(value / NINE_DIGITS);
    // The quotient may have been rounded up to the next whole number.
    if (high * NINE_DIGITS > value) high--;
    this.#digits(high, digitCount(high));
    this.#digits(value - high * NINE_DIGITS, 9);
  }

  /** A point and the digits, without zeros at their end; nothing for 0. */
  #fraction(part: number, digits: number): void {
    if (part === 0) return;
    this.#bytes[this.#length++] = POINT;
    this.#digits(part, digits);
    while (this.#bytes[this.#length - 1] === ZERO) this.#length--;
  }

  /** So many digits, with zeros before them where there are fewer. */
  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    const from = this.#length;
    let rest = value | 0;
    for (let at = from + count - 1; at >= from; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length = from + count;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Of 0 to 999,999,999. */
function digitCount(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  return count;
}
