// Values that are plain text.
import type { Deserializer } from "../contract/record.ts";
import { asBuffer, decodeUtf8, type SliceDeserializer } from "./deserializer.ts";

const textDeserializer: SliceDeserializer<string> = {
  deserialize: (value) => decodeUtf8(asBuffer(value), 0, value.byteLength),
  deserializeSlice: decodeUtf8,
};

/** Values as UTF-8 text; bytes that are not UTF-8 make a poison record. */
export function text(): Deserializer<string> {
  return textDeserializer;
}
