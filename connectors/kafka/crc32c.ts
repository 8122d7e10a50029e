// CRC-32C (Castagnoli), the checksum of a record batch: by the processor's own instruction where the optional package
// @node-rs/crc32 has a binary for this machine, else in WebAssembly, at about a quarter of that speed.
import { createRequire } from "node:module";
import { crc32c as inWebAssembly } from "@platformatic/wasm-utils";

const checksum = native() ?? inWebAssembly;

/** The CRC-32C of `buffer` from `start` (inclusive) to `end` (exclusive), as an unsigned 32-bit number. */
export function crc32c(buffer: Buffer, start: number, end: number): number {
  return checksum(buffer.subarray(start, end));
}

function native(): ((bytes: Uint8Array) => number) | undefined {
  try {
    return createRequire(import.meta.url)("@node-rs/crc32").crc32c;
  } catch {
    return undefined;
  }
}
