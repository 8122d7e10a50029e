// `hdfsFolder`: a folder of HDFS that is only read, for what reads folders without knowing where they are
// (sparkCheckpoint). A connection is made for each call: there are few.
import { HdfsFileSystem, parseHdfsUrl } from "./client.ts";

const CALL_TIMEOUT_MS = 30_000;

/** Reads a folder with folders in it. Paths are relative to it, with slashes; "." is the folder itself. */
export interface HdfsFolder {
  readonly url: string;
  /** The names in a folder, in no order; undefined when it is not there. @throws ConfigError, TransientError */
  list(path: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /**
   * A file's bytes; undefined when it is not there.
   * @throws CheckpointCorruptError it has more than `maxBytes`
   * @throws ConfigError, TransientError
   */
  read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/**
 * The folder of a URL, `webhdfs://namenode:9870/dir` or `swebhdfs://…`.
 * @throws ConfigError it is no such URL
 */
export function hdfsFolder(url: string): HdfsFolder {
  const address = parseHdfsUrl(url);
  const pathOf = (path: string) => (path === "." ? address.folder : `${address.folder}/${path}`);
  return {
    url: address.url,
    async list(path, signal) {
      await using files = new HdfsFileSystem(address, CALL_TIMEOUT_MS);
      return (await files.list(pathOf(path), signal))?.map(({ name }) => name);
    },
    async read(path, maxBytes, signal) {
      await using files = new HdfsFileSystem(address, CALL_TIMEOUT_MS);
      return await files.read(pathOf(path), { maxBytes, signal });
    },
  };
}
