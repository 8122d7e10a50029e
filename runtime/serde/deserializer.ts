// Reads values straight out of a larger buffer: an optimisation that the built-in deserializers offer to the record
// decoder. It decides nothing about records; it only spares a view (an allocation) for each of them.
import { isUtf8 } from "node:buffer";
import type { Deserializer } from "../contract/record.ts";

/** A deserializer that never returns a promise, needs no context and can read a slice of a buffer. */
export interface SliceDeserializer<out T> extends Deserializer<T> {
  /** Reads `buffer` from `start` (inclusive) to `end` (exclusive). Throwing makes the record a poison record. */
  deserializeSlice(buffer: Buffer, start: number, end: number): T;
}

/** Whether a deserializer can read slices. */
export function readsSlices<T>(deserializer: Deserializer<T>): deserializer is SliceDeserializer<T> {
  return "deserializeSlice" in deserializer;
}

/** The same bytes as a Buffer, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Decodes UTF-8 from `start` (inclusive) to `end` (exclusive).
 * @throws Error the bytes are not UTF-8
 */
export function decodeUtf8(buffer: Buffer, start: number, end: number): string {
  const decoded = buffer.toString("utf8", start, end);
  // Node puts U+FFFD for bytes that are not UTF-8. Looking for it costs nothing where the text is ASCII, and only a
  // text that has it must be checked for whether it was really there.
  if (decoded.includes("\uFFFD") && !isUtf8(buffer.subarray(start, end))) throw new Error("its bytes are not UTF-8");
  return decoded;
}
