// The embedded store: one folder, one log per job, a file an entry, nothing else to install. Exactly one log folder per job
// carries the token of its current writer: DIR/<job>/log-<token>/<seq>.entry. Taking over renames it, which shuts every
// older writer out for ever, however long it was frozen: its links find no folder. Needs a local file system with hard links.
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  CheckpointCorruptError,
  type CheckpointStore,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { errorCode, nothingHappened } from "./file/disk-errors.ts";
import { MAX_ENTRY_BYTES, readEntryFile } from "./file/entry-file.ts";
import { examineFolder } from "./file/examine.ts";
import { readHeartbeat } from "./file/heartbeat-file.ts";
import { entryFileName, findLog, type ListedLog, listLog } from "./file/log-folder.ts";
import { takeOver } from "./file/take-over.ts";
import { checkJobName, isJobName } from "./job-name.ts";

export interface FileStoreOptions {
  /** The folder of the store; made, with what is above it, when the first job is taken over. */
  readonly dir: string;
  /** A relative `dir` is resolved against it; default: the working directory. */
  readonly baseDir?: string;
}

/** A checkpoint store in a folder. Constructing it does no I/O. */
export function fileStore(options: FileStoreOptions): CheckpointStore {
  return new FileStore(options);
}

class FileStore implements CheckpointStore {
  readonly url: string;
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly #dir: string;

  constructor({ dir, baseDir }: FileStoreOptions) {
    this.url = `file:${dir}`;
    this.#dir = resolve(baseDir ?? ".", dir);
  }

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    const { seqs = [] } = (await listLog(this.#jobFolder(jobName), signal)) ?? {};
    const [first, head] = [seqs[0], seqs.at(-1)];
    return first === undefined || head === undefined ? undefined : { first, head };
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    const jobFolder = this.#jobFolder(jobName);
    let log = await listLog(jobFolder, signal);
    for (const seq of log?.seqs ?? []) {
      if (log === undefined || seq < from) continue;
      signal.throwIfAborted();
      let entry = await readEntryFile(join(log.path, entryFileName(seq)));
      while (entry === undefined) {
        // Pruned meanwhile, or a take-over renamed the folder.
        const path = (await findLog(jobFolder))?.path;
        if (path === undefined || path === log.path) break;
        log = { ...log, path } satisfies ListedLog;
        entry = await readEntryFile(join(path, entryFileName(seq)));
      }
      if (entry !== undefined) yield { seq, entry };
    }
  }

  async takeOver(jobName: string, begin: (head: bigint) => NumberedEntry, signal: AbortSignal): Promise<LogWriter> {
    return await takeOver({ dir: this.#dir, jobFolder: this.#jobFolder(jobName) }, begin, signal);
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    const jobFolder = this.#jobFolder(jobName);
    signal.throwIfAborted();
    return await readHeartbeat(jobFolder);
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    const names = (await this.#folders()).filter(isJobName).sort();
    const withLog: string[] = [];
    for (const name of names) {
      if (await this.#hasLog(name, signal)) withLog.push(name);
    }
    return withLog;
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    return await examineFolder(this.#dir, signal);
  }

  /** Nothing is held open between calls. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #jobFolder(jobName: string): string {
    checkJobName(jobName);
    return join(this.#dir, jobName);
  }

  async #folders(): Promise<string[]> {
    try {
      const there = await readdir(this.#dir, { withFileTypes: true });
      return there.filter((item) => item.isDirectory()).map((item) => item.name);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw nothingHappened(error, "list", this.#dir);
    }
  }

  /** A damaged log is a log: whoever asks about the job by name gets the error. */
  async #hasLog(jobName: string, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.bounds(jobName, signal)) !== undefined;
    } catch (error) {
      if (error instanceof CheckpointCorruptError) return true;
      throw error;
    }
  }
}
