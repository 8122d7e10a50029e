// A batch's records, decompressed: Kafka's five codecs by the number in the batch's attributes. Everything is bounded,
// and damaged bytes are an error, never other bytes.
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { DecompressionError, MAX_DECOMPRESSED_BYTES } from "./byte-output.ts";
import { decompressLz4 } from "./lz4.ts";
import { decompressSnappy } from "./snappy.ts";

/** The codec of records that are not compressed. */
export const UNCOMPRESSED = 0;

const limit = { maxOutputLength: MAX_DECOMPRESSED_BYTES };
const decompressors: Readonly<Record<number, (bytes: Buffer) => Buffer>> = {
  1: (bytes) => gunzipSync(bytes, limit),
  2: decompressSnappy,
  3: decompressLz4,
  4: (bytes) => zstdDecompressSync(bytes, limit),
};

/**
 * Decompresses the records of one batch.
 * @param codec the lowest three bits of the batch's attributes; not 0
 * @throws DecompressionError the codec is unknown, or the bytes are damaged or give too much
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  const decompressor = decompressors[codec];
  if (decompressor === undefined) throw new DecompressionError(`codec ${codec} is unknown`);
  try {
    return decompressor(bytes);
  } catch (error) {
    if (error instanceof DecompressionError || !(error instanceof Error)) throw error;
    throw new DecompressionError(error.message);
  }
}
