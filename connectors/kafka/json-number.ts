// Numbers as JSON, digit by digit: whole ones, and those with one or two decimals, which most are; the others by way of
// the engine. The digits are JavaScript's own: of two decimal numbers with at most 15 digits no two are the same double
// (IEEE 754), so that such a number which gives this double is the shortest one that does.
import type { RecordBytes } from "./record-bytes.ts";

/** The most that one takes. */
export const MAX_NUMBER_BYTES = 32;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const MAX_HUNDREDTHS = 1e15;
/** Ten million: what is left and right of seven digits fits 31 bits. */
const SPLIT = 1e7;
const SPLIT_DIGITS = 7;
const MAX_SMALL = 2 ** 31;

/** Writes a number, for which there must be room. */
export function addNumber(out: RecordBytes, value: number): void {
  const size = Math.abs(value);
  if (Number.isSafeInteger(value)) {
    if (value < 0) out.bytes[out.length++] = MINUS;
    putWhole(out, size);
    return;
  }
  const hundredths = Math.round(size * 100);
  if (hundredths < MAX_HUNDREDTHS && hundredths / 100 === size) {
    if (value < 0) out.bytes[out.length++] = MINUS;
    const whole = Math.floor(hundredths / 100);
    const rest = hundredths - whole * 100;
    const tenth = Math.floor(rest / 10);
    putWhole(out, whole);
    out.bytes[out.length++] = POINT;
    out.bytes[out.length++] = ZERO + tenth;
    if (rest !== tenth * 10) out.bytes[out.length++] = ZERO + rest - tenth * 10;
    return;
  }
  const text = Number.isFinite(value) ? String(value) : "null";
  for (let at = 0; at < text.length; at++) out.bytes[out.length++] = text.charCodeAt(at);
}

/** A safe integer from 0 on. */
function putWhole(out: RecordBytes, value: number): void {
  const left = value < MAX_SMALL ? 0 : Math.floor(value / SPLIT);
  if (left > 0) putWhole(out, left);
  putDigits(out, value - left * SPLIT, left > 0 ? SPLIT_DIGITS : digitsOf(value));
}

/** Writes the last `count` digits of a number below 2^31. */
function putDigits(out: RecordBytes, value: number, count: number): void {
  const { bytes, length } = out;
  let left = value | 0;
  for (let at = length + count - 1; at >= length; at--) {
    const next = (left / 10) | 0;
    bytes[at] = ZERO + left - next * 10;
    left = next;
  }
  out.length = length + count;
}

function digitsOf(value: number): number {
  let count = 1;
  for (let bound = 10; bound <= value; bound *= 10) count++;
  return count;
}
