// Reads a file in blocks of whole lines. The next block is read while the last one is being used: where a block's last
// line ends is known at once, and there the next one begins. Two buffers take turns, so memory is bounded by two
// blocks.
import type { FileHandle } from "node:fs/promises";
import { lineTooLong } from "./line-index.ts";
import { readBytes } from "./read-bytes.ts";

const NEWLINE = 0x0a;
const BLOCK_BYTES = 256 * 1024;

/**
 * Whole lines: the first `length` bytes of `buffer`, the last of which is a newline. Valid until the next block is
 * asked for.
 */
export interface LineBlock {
  readonly buffer: Buffer;
  readonly length: number;
  /** Where in the file the block begins. */
  readonly position: number;
}

export interface LineBlockOptions {
  /** Where to begin: the start of a line. */
  readonly fromByte: number;
  /** Never reads at or beyond it. */
  readonly untilByte: number;
  /** With its newline. A longer line is an error. */
  readonly maxLineBytes: number;
  readonly signal: AbortSignal;
}

/**
 * The whole lines between two positions, in order. Ends before `untilByte` where the file does.
 * @throws ConfigError a line is longer than `maxLineBytes`
 */
export async function* readLineBlocks(handle: FileHandle, options: LineBlockOptions): AsyncGenerator<LineBlock> {
  const { fromByte, untilByte, maxLineBytes, signal } = options;
  let position = fromByte;
  let blockBytes = BLOCK_BYTES;
  let buffer: Buffer = Buffer.allocUnsafeSlow(Math.min(blockBytes, Math.max(0, untilByte - fromByte)));
  let spare: Buffer | undefined;
  let reading = fill(handle, buffer, position, untilByte);
  try {
    while (position < untilByte) {
      const filled = await reading;
      signal.throwIfAborted();
      const length = filled === 0 ? 0 : buffer.lastIndexOf(NEWLINE, filled - 1) + 1;
      if (length === 0) {
        if (filled < buffer.length || position + filled >= untilByte) return;
        if (blockBytes > maxLineBytes) throw lineTooLong(`the line at byte ${position}`, maxLineBytes);
        blockBytes = Math.min(blockBytes * 2, maxLineBytes + 1);
        buffer = Buffer.allocUnsafeSlow(Math.min(blockBytes, untilByte - position));
        reading = fill(handle, buffer, position, untilByte);
        continue;
      }
      const block = { buffer, length, position };
      position += length;
      const next =
        spare?.length === blockBytes ? spare : Buffer.allocUnsafeSlow(Math.min(blockBytes, untilByte - position));
      spare = buffer;
      buffer = next;
      reading = fill(handle, buffer, position, untilByte);
      yield block;
    }
  } finally {
    // The file must not be closed under a read that is still going on.
    await reading.catch(() => undefined);
  }
}

function fill(handle: FileHandle, buffer: Buffer, position: number, untilByte: number): Promise<number> {
  const reading = readBytes(handle, buffer, Math.min(buffer.length, untilByte - position), position);
  // Its error is thrown where it is awaited; until then it must not count as unhandled.
  reading.catch(() => undefined);
  return reading;
}
