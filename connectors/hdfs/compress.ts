// Compressing parts of a file: each becomes a member (gzip) or a frame (zstd) of its own, and one after the other they
// are a file that readers of the format read (zstd, Hadoop, Spark; but Node's zstdDecompress ends after a first frame),
// so that files can be joined without a look into them.
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";

/** As in the option of the sink. */
export type HdfsCompression = "gzip" | "zstd";

/** What each adds to a file's name, by which Hadoop's own readers know it. */
export const COMPRESSED_EXTENSIONS: Readonly<Record<HdfsCompression, string>> = { gzip: "gz", zstd: "zst" };

const compressors = { gzip: promisify(gzip), zstd: promisify(zstdCompress) };

/** The bytes as one member or frame; as they are without a compression. */
export async function compress(bytes: Uint8Array, compression: HdfsCompression | undefined): Promise<Uint8Array> {
  return compression === undefined ? bytes : await compressors[compression](bytes);
}
