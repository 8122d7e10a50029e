// LZ4 frames, decompression only (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and
// lz4_Block_format.md). In JavaScript because the WebAssembly one at hand (@platformatic/wasm-utils) accepts damaged
// frames and stays broken after refusing one. Frame checksums are skipped: the batch's CRC covers these bytes.
import { ByteOutput, DecompressionError } from "./byte-output.ts";

const MAGIC = 0x184d2204;
const VERSION_MASK = 0xc0;
const VERSION_1 = 0x40;
const BLOCK_CHECKSUMS = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_DICTIONARY = 0x01;
const IS_STORED = 0x80000000;
const MIN_MATCH = 4;

/**
 * Decompresses one frame.
 * @throws DecompressionError
 */
export function decompressLz4(input: Buffer): Buffer {
  if (input.length < 7 || input.readUInt32LE(0) !== MAGIC) throw new DecompressionError("it is no LZ4 frame");
  const flags = input.readUInt8(4);
  if ((flags & VERSION_MASK) !== VERSION_1 || flags & HAS_DICTIONARY) {
    throw new DecompressionError("its LZ4 frame is of an unknown kind");
  }
  // Magic, flags, block size, perhaps the content's size, header checksum.
  let at = flags & HAS_CONTENT_SIZE ? 15 : 7;
  const output = new ByteOutput(input.length * 4);
  for (;;) {
    if (at + 4 > input.length) throw new DecompressionError("it ends too early");
    const size = input.readUInt32LE(at);
    at += 4;
    if (size === 0) return output.take();
    const isStored = size >= IS_STORED;
    const end = at + (isStored ? size - IS_STORED : size);
    if (end > input.length) throw new DecompressionError("it ends too early");
    if (isStored) output.append(input, at, end);
    else decompressBlock(input, at, end, output);
    at = flags & BLOCK_CHECKSUMS ? end + 4 : end;
  }
}

function decompressBlock(input: Buffer, start: number, end: number, output: ByteOutput): void {
  let at = start;
  while (at < end) {
    const token = input[at++] as number;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= end) throw new DecompressionError("it ends too early");
        more = input[at++] as number;
        literals += more;
      } while (more === 255);
    }
    if (at + literals > end) throw new DecompressionError("it ends too early");
    output.append(input, at, at + literals);
    at += literals;
    if (at === end) return;
    if (at + 2 > end) throw new DecompressionError("it ends too early");
    const distance = (input[at] as number) | ((input[at + 1] as number) << 8);
    at += 2;
    let match = token & 15;
    if (match === 15) {
      let more: number;
      do {
        if (at >= end) throw new DecompressionError("it ends too early");
        more = input[at++] as number;
        match += more;
      } while (more === 255);
    }
    output.repeat(distance, match + MIN_MATCH);
  }
}
