// Values that are left as they are.
import type { Deserializer } from "../contract/record.ts";
import { asBuffer, type SliceDeserializer } from "./deserializer.ts";

const bytesDeserializer: SliceDeserializer<Uint8Array> = {
  deserialize: (value) => copySlice(asBuffer(value), 0, value.byteLength),
  deserializeSlice: copySlice,
};

/** Values as their bytes, copied, so that they may be kept. */
export function bytes(): Deserializer<Uint8Array> {
  return bytesDeserializer;
}

/** Whether a deserializer only copies: then nothing can be wrong with what it is given. */
export function isBytes(deserializer: Deserializer<unknown>): boolean {
  return deserializer === bytesDeserializer;
}

/** Keys are mostly some bytes long: then a loop into a block of many is several times faster than a copying call. */
const BLOCK_BYTES = 16 * 1024;
const SMALL_BYTES = 48;
let block = new Uint8Array(0);
let used = 0;

function copySlice(buffer: Buffer, start: number, end: number): Uint8Array {
  const size = end - start;
  if (size > SMALL_BYTES) return copyLarge(buffer, start, end);
  if (used + size > block.length) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  const at = used;
  for (let index = 0; index < size; index++) block[at + index] = buffer[start + index] as number;
  used += size;
  return block.subarray(at, used);
}

/** Those up to some thousand bytes share Node's pool. */
function copyLarge(buffer: Buffer, start: number, end: number): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start);
  buffer.copy(copy, 0, start, end);
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
}
