// Snappy, decompression only (https://github.com/google/snappy/blob/main/format_description.txt), bare or in the
// framing of snappy-java, which Java producers use: 0x82 "SNAPPY" 0x00, two versions, then blocks with their lengths.
import { ByteOutput, DecompressionError, MAX_DECOMPRESSED_BYTES } from "./byte-output.ts";

const FRAMING_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const FRAMING_HEADER_BYTES = 16;

/**
 * Decompresses bare or framed Snappy.
 * @throws DecompressionError
 */
export function decompressSnappy(input: Buffer): Buffer {
  if (!input.subarray(0, FRAMING_MAGIC.length).equals(FRAMING_MAGIC)) {
    const output = new ByteOutput(input.length * 4);
    decompressBlock(input, 0, input.length, output);
    return output.take();
  }
  const output = new ByteOutput(input.length * 4);
  let at = FRAMING_HEADER_BYTES;
  while (at < input.length) {
    if (at + 4 > input.length) throw new DecompressionError("it ends too early");
    const start = at + 4;
    const end = start + input.readUInt32BE(at);
    if (end > input.length) throw new DecompressionError("it ends too early");
    decompressBlock(input, start, end, output);
    at = end;
  }
  return output.take();
}

function decompressBlock(input: Buffer, start: number, end: number, output: ByteOutput): void {
  const { length, next } = readLength(input, start, end);
  let at = next;
  let written = 0;
  while (at < end) {
    const tag = input[at++] as number;
    const kind = tag & 3;
    let count = (tag >>> 2) + 1;
    if (kind === 0) {
      if (count > 60) {
        const bytes = count - 60;
        count = readNumber(input, at, bytes, end) + 1;
        at += bytes;
      }
      if (at + count > end) throw new DecompressionError("it ends too early");
      output.append(input, at, at + count);
      at += count;
    } else if (kind === 1) {
      count = ((tag >>> 2) & 7) + 4;
      output.repeat(((tag >>> 5) << 8) | readNumber(input, at, 1, end), count);
      at += 1;
    } else {
      const bytes = kind === 2 ? 2 : 4;
      output.repeat(readNumber(input, at, bytes, end), count);
      at += bytes;
    }
    written += count;
    if (written > length) throw new DecompressionError("it gives more bytes than it says");
  }
  if (written !== length) throw new DecompressionError("it gives fewer bytes than it says");
}

/** A little-endian number of 1 to 4 bytes, unsigned. */
function readNumber(input: Buffer, at: number, bytes: number, end: number): number {
  if (at + bytes > end) throw new DecompressionError("it ends too early");
  let value = 0;
  for (let index = bytes - 1; index >= 0; index--) value = value * 256 + (input[at + index] as number);
  return value;
}

/** The length of the block when decompressed, a varint of at most 32 bits, and where what follows it begins. */
function readLength(input: Buffer, start: number, end: number): { length: number; next: number } {
  let length = 0;
  for (let at = start; at < Math.min(end, start + 5); at++) {
    const part = input[at] as number;
    length += (part & 127) * 2 ** (7 * (at - start));
    if (part >= 128) continue;
    if (length <= MAX_DECOMPRESSED_BYTES) return { length, next: at + 1 };
    break;
  }
  throw new DecompressionError("its length is out of bounds");
}
