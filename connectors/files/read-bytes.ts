// Reading pieces of an open file: fills what it is given, however many calls that takes, and ends only at the file's
// end.
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** What is hashed to recognise a place in a file: at most so many bytes before it. */
const HASHED_BYTES = 1024;

/**
 * Fills the first `length` bytes of `buffer` from `position` of the file.
 * @returns how many bytes there were; fewer than `length` only at the end of the file
 */
export async function readBytes(handle: FileHandle, buffer: Buffer, length: number, position: number): Promise<number> {
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** A hash (16 hex digits) of the bytes from `from` (inclusive) to `until` (exclusive), or of those that are there. */
export async function hashBetween(handle: FileHandle, from: number, until: number): Promise<string> {
  const buffer = Buffer.allocUnsafe(until - from);
  const length = await readBytes(handle, buffer, buffer.length, from);
  return createHash("sha256").update(buffer.subarray(0, length)).digest("hex").slice(0, 16);
}

/** A hash of the at most 1 KiB before a byte position. */
export function hashBefore(handle: FileHandle, position: number): Promise<string> {
  return hashBetween(handle, Math.max(0, position - HASHED_BYTES), position);
}
