// Bytes that grow while parts of records are written to them: Kafka's variable-length numbers (zigzag, seven bits a
// byte, lowest first), and texts and bytes with their length before them.

/** More than this in one record no broker takes, and lengths must fit 31 bits. */
const MAX_FIELD_BYTES = 512 * 1024 * 1024;
/** The most that a length takes. */
export const MAX_LENGTH_BYTES = 5;
/** Below this a loop beats a call into the engine. */
const SHORT_TEXT = 16;
const NULL_LENGTH = 1;

/** The bytes that a number from 0 on takes when it is written as a variable-length one. */
export function varintSize(value: number): number {
  if (value < 64) return 1;
  if (value < 8192) return 2;
  if (value < 1_048_576) return 3;
  return value < 134_217_728 ? 4 : 5;
}

/** A buffer for records. */
export class RecordBytes {
  /** Valid up to `length`. */
  bytes: Buffer;
  length: number;

  /** @param length left free at the beginning */
  constructor(capacity: number, length = 0) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.length = length;
  }

  /** Makes room for so many bytes more. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** A number from 0 on. Room for it must have been made. */
  putVarint(value: number): void {
    this.length = putVarint(this.bytes, this.length, value);
  }

  /** What stands for null in place of a length and bytes. */
  addNull(): void {
    this.reserve(1);
    this.bytes[this.length++] = NULL_LENGTH;
  }

  /** A length or a count. */
  addVarint(value: number): void {
    this.reserve(MAX_LENGTH_BYTES);
    this.putVarint(value);
  }

  /** @throws RangeError it is too long for a record */
  addBytes(value: Uint8Array): void {
    if (value.length > MAX_FIELD_BYTES) throw tooLong(value.length);
    this.reserve(MAX_LENGTH_BYTES + value.length);
    this.putVarint(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** As UTF-8; half a surrogate pair becomes U+FFFD. @throws RangeError it is too long for a record */
  addText(text: string): void {
    if (text.length > MAX_FIELD_BYTES / 3) throw tooLong(text.length);
    this.reserve(MAX_LENGTH_BYTES + text.length * 3);
    if (text.length <= SHORT_TEXT && this.addAscii(text)) return;
    // Written where it belongs if all of it is ASCII, and moved if its length then takes more bytes.
    const guessed = varintSize(text.length);
    const start = this.length + guessed;
    const count = this.bytes.write(text, start);
    const needed = varintSize(count);
    if (needed !== guessed) this.bytes.copyWithin(this.length + needed, start, start + count);
    this.putVarint(count);
    this.length += count;
  }

  private addAscii(text: string): boolean {
    const { bytes } = this;
    const start = this.length + 1;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= 128) return false;
      bytes[start + at] = code;
    }
    bytes[this.length] = text.length << 1;
    this.length = start + text.length;
    return true;
  }
}

/** Writes a number from 0 on at `at`, for which there must be room. @returns where it ends */
function putVarint(bytes: Buffer, at: number, value: number): number {
  let left = value * 2;
  let next = at;
  while (left >= 128) {
    bytes[next++] = (left & 127) | 128;
    left = Math.floor(left / 128);
  }
  bytes[next++] = left;
  return next;
}

function tooLong(length: number): RangeError {
  return new RangeError(`a text or value of ${length} bytes is too long for a Kafka record`);
}
