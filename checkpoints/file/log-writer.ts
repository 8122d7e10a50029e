// One writer's term on a job's log. Order of an append: write and fsync a temporary file beside the log folder, link it
// to the entry's name in the folder that carries this writer's token, fsync the folder, answer. The link fails if the
// entry is there, and for ever once a newer writer has renamed the folder; a link that was under way while the folder
// was being renamed is looked at again before it counts. A writer must never touch the log under the folder's newer
// name, but to take back such an entry of its own.
import { randomBytes } from "node:crypto";
import { type FileHandle, link, lstat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Appended,
  CheckpointMissingError,
  type Entry,
  type Heartbeat,
  type LogWriter,
  type Position,
  TidemarkError,
} from "../../runtime/index.ts";
import { errorCode, mayHaveHappened, nothingHappened } from "./disk-errors.ts";
import { encodeEntry, readEntryFile } from "./entry-file.ts";
import { writeHeartbeat } from "./heartbeat-file.ts";
import { entryFileName, type ListedLog, listEntries, listLog, TEMPORARY_PREFIX } from "./log-folder.ts";

/** Errors with which link(2) says for certain that it did nothing. */
const REFUSED = new Set(["ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "EMLINK", "ENOTSUP", "ENOSYS"]);

/** What a writer starts from. */
export interface Term {
  readonly jobFolder: string;
  /** The log folder under this writer's own name. */
  readonly logFolder: string;
  /** The same folder, open: reaches it whatever it is called later. The writer closes it. */
  readonly handle: FileHandle;
  readonly first: bigint;
  readonly head: bigint;
}

/** Appends to the log that was taken over; made only by a take-over. */
export class FileLogWriter implements LogWriter {
  readonly #jobFolder: string;
  readonly #logFolder: string;
  readonly #handle: FileHandle;
  /** No entry of this log is below it. */
  #first: bigint;
  #head: bigint;
  #closed = false;

  constructor({ jobFolder, logFolder, handle, first, head }: Term) {
    this.#jobFolder = jobFolder;
    this.#logFolder = logFolder;
    this.#handle = handle;
    this.#first = first;
    this.#head = head;
  }

  async append(seq: bigint, entry: Entry, _customary: readonly Position[], signal: AbortSignal): Promise<Appended> {
    if (this.#closed) throw new Error(`the writer of ${this.#logFolder} is closed`);
    const path = join(this.#logFolder, entryFileName(seq));
    const file = encodeEntry(entry);
    signal.throwIfAborted();
    // Only this writer's appends move the head, as long as it is the writer at all.
    if (seq !== this.#head + 1n) return await this.#whatIsThere(seq, entry, signal);

    const temporary = await this.#writeTemporary(file);
    if (!(await this.#link(temporary, path))) return await this.#whatIsThere(seq, entry, signal);
    try {
      const [stillMine] = await Promise.all([isFolder(this.#logFolder), this.#handle.sync()]);
      if (!stillMine) return await this.#settle(seq, entry, signal);
    } catch (error) {
      if (signal.aborted || (error instanceof TidemarkError && !error.retryable)) throw error;
      throw mayHaveHappened(error, "append", path);
    }
    if (this.#head < seq) this.#head = seq;
    return { is: "appended" };
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    // The newest entry always stays: it is the log's position.
    const until = before < this.#head ? before : this.#head;
    while (this.#first < until) {
      signal.throwIfAborted();
      if (await removed(join(this.#logFolder, entryFileName(this.#first)))) {
        this.#first += 1n;
        continue;
      }
      const lowest = (await listEntries(this.#logFolder))?.[0];
      if (lowest === undefined) return; // A newer writer has the log; pruning is its own affair.
      this.#first = lowest;
    }
  }

  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await writeHeartbeat(this.#jobFolder, heartbeat);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
  }

  async #writeTemporary(file: Uint8Array): Promise<string> {
    const path = join(this.#jobFolder, `${TEMPORARY_PREFIX}${randomBytes(16).toString("hex")}`);
    try {
      await writeFile(path, file, { flag: "wx", mode: 0o600, flush: true });
      return path;
    } catch (error) {
      await unlink(path).catch(() => undefined);
      if (errorCode(error) === "ENOENT") throw this.#missing();
      throw nothingHappened(error, "write", path);
    }
  }

  /** Whether the entry's name was made; false: it exists already, or a newer writer has the log. The temporary goes. */
  async #link(temporary: string, path: string): Promise<boolean> {
    try {
      await link(temporary, path);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EEXIST") return false;
      // The folder or the temporary is gone; the latter on nobody's behalf, so that trying again is right.
      if (code === "ENOENT" && !(await isFolder(this.#logFolder))) return false;
      if (code === "ENOENT" || REFUSED.has(code ?? "")) throw nothingHappened(error, "append", path);
      throw mayHaveHappened(error, "append", path);
    } finally {
      // The answer does not wait for it: what is left over, the next take-over sweeps.
      unlink(temporary).catch(() => undefined);
    }
  }

  /** Answers an append that was not made, or not now: with the entry that has this number, or with the head. */
  async #whatIsThere(seq: bigint, mine: Entry, signal: AbortSignal): Promise<Appended> {
    for (;;) {
      const log = await this.#newestLog(signal);
      if (!isPartOf(log, seq)) return { is: "behind", head: log.seqs.at(-1) ?? -1n };
      const entry = await readEntryFile(join(log.path, entryFileName(seq)));
      if (entry === undefined) continue; // Renamed or pruned since it was listed.
      // An earlier attempt may have failed between link and fsync. The folder's fsync may be repeated: a file system
      // that could not write its journal refuses everything from then on.
      await this.#handle.sync().catch((error) => {
        throw mayHaveHappened(error, "sync", log.path);
      });
      if (entry.token === mine.token && seq === this.#head + 1n) this.#head = seq;
      return { is: "exists", entry };
    }
  }

  /**
   * Answers an append whose link was made about when a newer writer renamed the folder: the kernel finds the folder
   * first and links into it then, whatever it is called by that time. If the newer writer has not numbered past the
   * entry, it collides with it and counts it in. Else the entry lies where others were pruned, and is taken away again.
   */
  async #settle(seq: bigint, mine: Entry, signal: AbortSignal): Promise<Appended> {
    const answer = await this.#whatIsThere(seq, mine, signal);
    if (answer.is === "behind") await removed(join((await this.#newestLog(signal)).path, entryFileName(seq)));
    return answer;
  }

  async #newestLog(signal: AbortSignal): Promise<ListedLog> {
    const log = await listLog(this.#jobFolder, signal);
    if (log === undefined) throw this.#missing();
    return log;
  }

  #missing(): CheckpointMissingError {
    return new CheckpointMissingError(`the checkpoint in ${this.#jobFolder} is gone while the job runs`, {
      hint: "put the folder back from a backup before the job starts again; without it the job would begin anew",
    });
  }
}

/** Whether the entry is in the log; one below the head without a next one only lies there, see `#settle`. */
function isPartOf({ seqs }: ListedLog, seq: bigint): boolean {
  return seqs.includes(seq) && (seq === seqs.at(-1) || seqs.includes(seq + 1n));
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw nothingHappened(error, "look at", path);
  }
}

/** Whether the file was there to be removed. */
async function removed(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw nothingHappened(error, "remove", path);
  }
}
