// Reads JSON numbers out of bytes. Most have few digits: then the digits as a whole number, divided by a power of ten,
// are exactly the double that is nearest, because both are doubles without error. All others go through Number.
import { isDigit, type JsonBytes, NO } from "./json-bytes.ts";

/** Whole numbers of so many digits are exact. */
const EXACT_DIGITS = 15;
/** So many digits fit 32 bits, in which the engine adds and multiplies several times as fast. */
const SHORT_DIGITS = 9;
/** Powers of ten that are exact, as far as they are needed. */
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** Reads numbers one after another. */
export class NumberReader {
  /** The number that was read last. */
  value = 0;

  /** Reads the number at `start`; gives the position after it, −1 when there is none. */
  read(bytes: JsonBytes, start: number): number {
    const { buffer } = bytes;
    const whole = buffer[start] === MINUS ? start + 1 : start;
    let at = whole;
    let short = 0;
    for (const most = whole + SHORT_DIGITS; at < most; at++) {
      const byte = buffer[at] as number;
      if (!isDigit(byte)) break;
      short = (short * 10 + byte - ZERO) | 0;
    }
    let digits = short;
    while (isDigit(buffer[at] as number)) digits = digits * 10 + (buffer[at++] as number) - ZERO;
    let count = at - whole;
    if (count === 0 || (buffer[whole] === ZERO && count > 1)) return NO;
    let decimals = 0;
    if (buffer[at] === POINT) {
      const fraction = ++at;
      while (isDigit(buffer[at] as number)) digits = digits * 10 + (buffer[at++] as number) - ZERO;
      decimals = at - fraction;
      if (decimals === 0) return NO;
      count += decimals;
    }
    const after = bytes.skipExponent(at);
    if (after === NO) return NO;
    if (after !== at || count > EXACT_DIGITS) {
      this.value = Number(buffer.toString("latin1", start, after));
      return after;
    }
    const absolute = decimals === 0 ? digits : digits / (POWERS[decimals] as number);
    this.value = whole === start ? absolute : -absolute;
    return at;
  }
}
