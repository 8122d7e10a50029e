// Values that are left as they are.
import type { Deserializer } from "../contract/record.ts";

const bytesDeserializer: Deserializer<Uint8Array> = { deserialize: (value) => new Uint8Array(value) };

/** Values as their bytes, copied, so that they may be kept. */
export function bytes(): Deserializer<Uint8Array> {
  return bytesDeserializer;
}
