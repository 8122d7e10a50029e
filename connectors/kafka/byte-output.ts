// The output of a decompressor: bytes that grow, with copies from themselves, which is all that LZ4 and Snappy do.
// Everything is checked: compressed bytes come from whoever may write to a topic.

/** More than this in one piece is taken for an attack or damage; brokers take 1 MiB (compressed) unless told. */
export const MAX_DECOMPRESSED_BYTES = 512 * 1024 * 1024;

/** Below this a loop beats a call into the engine. */
const SHORT_COPY_BYTES = 24;

/** Bytes that cannot be decompressed. */
export class DecompressionError extends Error {
  constructor(what: string) {
    super(`its bytes cannot be decompressed: ${what}`);
  }
}

/** Grows as it is written to; `take` gives what was written. */
export class ByteOutput {
  private bytes: Buffer;
  private length = 0;

  /** @param expectedBytes a guess of the size; not trusted */
  constructor(expectedBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(64, Math.min(expectedBytes, MAX_DECOMPRESSED_BYTES)));
  }

  /** Appends `input` from `start` (inclusive) to `end` (exclusive), which must lie within it. */
  append(input: Buffer, start: number, end: number): void {
    if (start > end || end > input.length) throw new DecompressionError("it ends too early");
    const count = end - start;
    this.reserve(count);
    const { bytes, length } = this;
    if (count > SHORT_COPY_BYTES) input.copy(bytes, length, start, end);
    else for (let at = 0; at < count; at++) bytes[length + at] = input[start + at] as number;
    this.length = length + count;
  }

  /** Appends `count` bytes that begin `distance` bytes before the end; they may overlap what is being written. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.length) throw new DecompressionError("it copies from before its beginning");
    this.reserve(count);
    const { bytes, length } = this;
    const from = length - distance;
    if (count > SHORT_COPY_BYTES && distance >= count) bytes.copyWithin(length, from, from + count);
    else for (let at = 0; at < count; at++) bytes[length + at] = bytes[from + at] as number;
    this.length = length + count;
  }

  take(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    if (needed > MAX_DECOMPRESSED_BYTES)
      throw new DecompressionError(`it gives more than ${MAX_DECOMPRESSED_BYTES} bytes`);
    const grown = Buffer.allocUnsafeSlow(Math.min(MAX_DECOMPRESSED_BYTES, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
