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

/** Small ones share Node's pool, which is several times faster than an allocation for each. */
function copySlice(buffer: Buffer, start: number, end: number): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start);
  buffer.copy(copy, 0, start, end);
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
}
