// A Spark checkpoint's folder as its reader here sees it, wherever it is; and the one that is on this machine.
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, messageOf, TransientError } from "../../runtime/index.ts";

/** Reads a folder with folders in it. Paths are relative to it, with slashes: `offsets/7`. */
export interface CheckpointFolder {
  /** For messages, without passwords. */
  readonly url: string;
  /** The names in a folder, in no order; undefined when it is not there. @throws ConfigError, TransientError */
  list(path: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** A file's bytes; undefined when it is not there. @throws ConfigError it has more than `maxBytes`; TransientError */
  read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** A folder of this machine. */
export class LocalFolder implements CheckpointFolder {
  readonly url: string;
  private readonly dir: string;

  /** @param dir absolute, or relative to the working directory */
  constructor(dir: string) {
    this.dir = dir;
    this.url = dir;
  }

  async list(path: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    signal.throwIfAborted();
    return await orUndefined(join(this.dir, path), (full) => readdir(full));
  }

  async read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    signal.throwIfAborted();
    return await orUndefined(join(this.dir, path), async (full) => {
      const { size } = await stat(full);
      if (size > maxBytes) throw new ConfigError(`${full} has ${size} bytes, more than ${maxBytes}`);
      await using file = await open(full);
      return await file.readFile({ signal });
    });
  }
}

async function orUndefined<T>(path: string, read: (path: string) => Promise<T>): Promise<T | undefined> {
  try {
    return await read(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "ENOENT") return undefined;
    if (cause instanceof ConfigError) throw cause;
    if (code === "EACCES" || code === "EPERM" || code === "ENOTDIR" || code === "EISDIR") {
      throw new ConfigError(`${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
    throw new TransientError(`${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
