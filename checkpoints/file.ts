// The embedded store: one folder, one log per job, a file an entry, nothing else to install. Exactly one log folder per
// job carries the token of its current writer: DIR/<job>/log-<token>/<seq>.entry. Taking over renames it, which shuts
// every older writer out for ever, however long it was frozen: its links find no folder. Needs a local file system with
// hard links.
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  CheckpointCorruptError,
  type CheckpointStore,
  type Entry,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { errorCode, nothingHappened } from "./file/disk-errors.ts";
import { MAX_ENTRY_BYTES, readEntryFile } from "./file/entry-file.ts";
import { examineFolder } from "./file/examine.ts";
import { readHeartbeat } from "./file/heartbeat-file.ts";
import { entryFileName, findLog, listLog } from "./file/log-folder.ts";
import { takeOver } from "./file/take-over.ts";
import { checkJobName, isJobName } from "./job-name.ts";

/** Entries that are read at once. */
const READ_AHEAD = 8;

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
    const { path = "", seqs = [] } = (await listLog(jobFolder, signal)) ?? {};
    const wanted = seqs.filter((seq) => seq >= from);
    for (let start = 0; start < wanted.length; start += READ_AHEAD) {
      signal.throwIfAborted();
      const ahead = wanted.slice(start, start + READ_AHEAD).map((seq) => {
        const reading = readEntry(jobFolder, path, seq);
        // Its turn may never come, if an earlier one is damaged; what is sound before that is given out first.
        reading.catch(() => undefined);
        return { seq, reading };
      });
      for (const { seq, reading } of ahead) {
        const entry = await reading;
        if (entry !== undefined) yield { seq, entry };
      }
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

/**
 * The entry in the log folder where it was listed, or, after a take-over, where it is now; undefined when it was
 * pruned.
 */
async function readEntry(jobFolder: string, logFolder: string, seq: bigint): Promise<Entry | undefined> {
  const entry = await readEntryFile(join(logFolder, entryFileName(seq)));
  if (entry !== undefined) return entry;
  const newest = (await findLog(jobFolder))?.path;
  return newest === undefined || newest === logFolder ? undefined : await readEntry(jobFolder, newest, seq);
}
