// Compressing a batch's records with Kafka's codecs. Pure: the same bytes give the same bytes.
import { gzipSync, zstdCompressSync } from "node:zlib";
import { lz4Compress, snappyCompress } from "@platformatic/wasm-utils";

/** The codecs by their names, as in Kafka's own `compression.type`. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** The name of a codec in the options; its number is the lowest three bits of a batch's attributes. */
export interface Codec {
  readonly id: number;
  /** undefined: leave the bytes as they are. */
  readonly compress: ((bytes: Buffer) => Buffer) | undefined;
}

/** The fastest: batches are compressed while the job waits. */
const GZIP_LEVEL = 1;

/** All codecs. */
export const codecs: Readonly<Record<Compression, Codec>> = {
  none: { id: 0, compress: undefined },
  gzip: { id: 1, compress: (bytes) => gzipSync(bytes, { level: GZIP_LEVEL }) },
  snappy: { id: 2, compress: (bytes) => snappyCompress(bytes) },
  lz4: { id: 3, compress: (bytes) => lz4Compress(bytes) },
  zstd: { id: 4, compress: (bytes) => zstdCompressSync(bytes) },
};
