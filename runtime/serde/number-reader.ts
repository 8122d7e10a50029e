// Reads JSON numbers out of bytes. Most have few digits: then the digits as a whole number, divided by a power of ten,
// are exactly the double that is nearest, because both are doubles without error. All others go through Number.
const NO = -1;
/** Whole numbers of so many digits are exact. */
const EXACT_DIGITS = 15;
/** Powers of ten that are exact, as far as they are needed. */
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;

/** Reads numbers one after another. */
export class NumberReader {
  /** The number that was read last. */
  value = 0;

  /** Reads the number at `start`, up to `end` (exclusive); gives the place after it, −1 when there is none. */
  read(buffer: Buffer, start: number, end: number): number {
    let at = start;
    const isNegative = buffer[at] === MINUS;
    if (isNegative) at++;
    const whole = at;
    let digits = 0;
    while (at < end && isDigit(buffer[at] as number)) digits = digits * 10 + (buffer[at++] as number) - ZERO;
    if (at === whole || (buffer[whole] === ZERO && at - whole > 1)) return NO;
    let count = at - whole;
    let decimals = 0;
    if (at < end && buffer[at] === POINT) {
      const fraction = ++at;
      while (at < end && isDigit(buffer[at] as number)) digits = digits * 10 + (buffer[at++] as number) - ZERO;
      decimals = at - fraction;
      if (decimals === 0) return NO;
      count += decimals;
    }
    const afterExponent = exponent(buffer, at, end);
    if (afterExponent === NO) return NO;
    if (afterExponent !== at || count > EXACT_DIGITS) {
      this.value = Number(buffer.toString("latin1", start, afterExponent));
      return afterExponent;
    }
    const absolute = decimals === 0 ? digits : digits / (POWERS[decimals] as number);
    this.value = isNegative ? -absolute : absolute;
    return at;
  }
}

/** The place after an exponent, `at` itself when there is none, −1 when it is not whole. */
function exponent(buffer: Buffer, at: number, end: number): number {
  if (at >= end || ((buffer[at] as number) | 0x20) !== 0x65) return at;
  let next = at + 1;
  if (next < end && (buffer[next] === PLUS || buffer[next] === MINUS)) next++;
  const first = next;
  while (next < end && isDigit(buffer[next] as number)) next++;
  return next === first ? NO : next;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}
