// One writer's term on a job's log. Order of an append: write a temporary file beside the job's folder, look at its
// length, move it to the entry's name in the folder that carries this writer's token. The move fails if the entry is
// there, and for ever once a newer writer has renamed the folder. Where its reply is lost, the temporary file is
// removed first of all: then it has been moved, or never can be. What the writer relies on is the head only; all else
// is listed anew. Old entries are rolled together beside the appending.
import {
  type Appended,
  CheckpointMissingError,
  type Entry,
  type Heartbeat,
  type LogWriter,
  OutcomeUnknownError,
  type Position,
  TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import { encodeHeartbeat } from "../heartbeat-json.ts";
import { encodeEntry } from "./entry-file.ts";
import { entryFileName, firstMarkName, type ListedLog, listFolder, listLog } from "./log-folder.ts";
import { isPartOf, readEntry } from "./read-entry.ts";
import { ROLLED_TOGETHER, removeAll, roll } from "./roll.ts";
import { forget, type JobPlace, jobFolderOf, replaceFile, writeTemporary } from "./temporary-file.ts";

export const HEARTBEAT_FILE = "heartbeat.json";

/** Of the texts of the newest entries, which are kept so that rolling them together need not read them. */
const KEPT_TEXTS_BYTES = 4 * 1024 * 1024;

/** What a writer starts from. */
export interface Term {
  readonly place: JobPlace;
  /** The log folder under this writer's own name. */
  readonly logFolder: string;
  readonly head: bigint;
  /** Entries in files of their own. */
  readonly singles: number;
}

/** Appends to the log that was taken over; made only by a take-over. */
export class HdfsLogWriter implements LogWriter {
  readonly #place: JobPlace;
  readonly #logFolder: string;
  #head: bigint;
  #singles: number;
  /** Temporary files of which it is not known whether they were moved. */
  readonly #unsettled = new Set<string>();
  /** By path; some of the newest entries' files. */
  readonly #texts = new Map<string, Uint8Array>();
  #textsBytes = 0;
  /** Rolling together while it is under way; it does not fail. */
  #rolling: Promise<void> | undefined;
  /** It failed once, so that a file of older entries may still be moved in. */
  #mayRollLate = false;
  /** What went wrong with it, unless trying again helps. */
  #rollFailure: unknown;
  #closed = false;

  constructor({ place, logFolder, head, singles }: Term) {
    this.#place = place;
    this.#logFolder = logFolder;
    this.#head = head;
    this.#singles = singles;
  }

  async append(seq: bigint, entry: Entry, _customary: readonly Position[], signal: AbortSignal): Promise<Appended> {
    if (this.#closed) throw new Error(`the writer of ${this.#logFolder} is closed`);
    const text = encodeEntry({ seq, entry });
    signal.throwIfAborted();
    if (this.#rollFailure !== undefined) throw this.#rollFailure;
    if (this.#unsettled.size > 0) {
      const there = await this.#settle(seq, entry, signal);
      if (there !== undefined) return there;
    }
    // Only this writer's appends move the head, as long as it is the writer at all.
    if (seq !== this.#head + 1n) return await this.#whatIsThere(seq, entry, signal);

    const temporary = await this.#writeTemporary(text, signal);
    if (temporary === undefined) return await this.#whatIsThere(seq, entry, signal);
    const path = `${this.#logFolder}/${entryFileName(seq)}`;
    const moved = await this.#moveIn(temporary, path, signal);
    if (moved === "unknown") {
      const there = await this.#settle(seq, entry, signal);
      if (there !== undefined) return there;
      throw new TransientError(`the reply to an append to ${this.#logFolder} was lost, and nothing was appended`);
    }
    if (moved !== "moved") {
      forget(this.#place.fileSystem, temporary, signal);
      return await this.#whatIsThere(seq, entry, signal);
    }
    if (this.#head < seq) this.#head = seq;
    this.#singles++;
    this.#keepText(path, text);
    if (this.#singles >= ROLLED_TOGETHER) this.#rolling ??= this.#roll();
    // Where appending is the faster of the two, it waits, so that the files stay few.
    if (this.#singles >= 2 * ROLLED_TOGETHER) await this.#rolling;
    return { is: "appended" };
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    await this.#rolling;
    signal.throwIfAborted();
    const { fileSystem } = this.#place;
    const log = await listFolder(fileSystem, this.#logFolder, signal);
    // The newest entry always stays: it is the log's position.
    const until = before < this.#head ? before : this.#head;
    if (log?.first === undefined) return; // A newer writer has the log; pruning is its own affair.
    const pruned = log.files.filter(({ to }) => to < until).map(({ path }) => path);
    // Where one file more or less says it all, no other mark is needed, if nothing of before can show again.
    const isAllThereIs = log.leftovers.length === 0 && !this.#mayRollLate;
    const isOneStep = isAllThereIs && pruned.length === 1 && log.files[1]?.from === until;
    const isMarked = log.first >= until || isOneStep;
    if (!isMarked && log.firstMark !== undefined) {
      const mark = `${this.#logFolder}/${firstMarkName(until)}`;
      if ((await fileSystem.move(`${this.#logFolder}/${log.firstMark}`, mark, signal)) === "missing") return;
    }
    await removeAll(this.#place, [...pruned, ...log.leftovers], signal);
    this.#forgetTexts(pruned);
    this.#singles = log.files.filter(({ from, to }) => from === to && to >= until).length;
  }

  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // Where a newer writer has renamed the folder, this sign of life is out of date, and finds no place.
    const path = `${this.#logFolder}/${HEARTBEAT_FILE}`;
    await replaceFile(this.#place, path, Buffer.from(encodeHeartbeat(heartbeat)), signal);
  }

  /** What is being rolled together is finished, since a short run would never come to it else. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#rolling;
  }

  /** A temporary file; undefined: whoever has taken over removed it while it was written. */
  async #writeTemporary(text: Uint8Array, signal: AbortSignal): Promise<string | undefined> {
    try {
      return await writeTemporary(this.#place, text, signal);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if ((await this.#place.fileSystem.status(this.#logFolder, signal)) !== undefined) throw error;
      return undefined;
    }
  }

  async #moveIn(temporary: string, path: string, signal: AbortSignal) {
    try {
      return await this.#place.fileSystem.move(temporary, path, signal);
    } catch (error) {
      if (signal.aborted || error instanceof OutcomeUnknownError) this.#unsettled.add(temporary);
      if (!(error instanceof OutcomeUnknownError)) throw error;
      return "unknown";
    }
  }

  /**
   * Finds out what became of moves whose reply was lost. What was not moved is removed, and so cannot be moved later.
   * @returns the answer to an append of this entry; undefined: it is not there, and may be appended
   * @throws OutcomeUnknownError it cannot be found out now
   */
  async #settle(seq: bigint, mine: Entry, signal: AbortSignal): Promise<Appended | undefined> {
    try {
      for (const temporary of this.#unsettled) {
        await this.#place.fileSystem.remove(temporary, signal);
        this.#unsettled.delete(temporary);
      }
      const there = await this.#whatIsThere(seq, mine, signal);
      return there.is === "behind" && seq === this.#head + 1n && there.head === this.#head ? undefined : there;
    } catch (error) {
      if (signal.aborted || (error instanceof TidemarkError && !error.retryable)) throw error;
      const message = `cannot find out whether an entry was appended to ${this.#logFolder}`;
      throw new OutcomeUnknownError(message, { cause: error });
    }
  }

  /** Answers an append that was not made, or not now: with the entry that has this number, or with the head. */
  async #whatIsThere(seq: bigint, mine: Entry, signal: AbortSignal): Promise<Appended> {
    for (;;) {
      const log = await this.#newestLog(signal);
      if (!isPartOf(log, seq)) return { is: "behind", head: log.head ?? -1n };
      const entry = await readEntry(this.#place, log, seq, signal);
      if (entry === undefined) continue; // Renamed, rolled or pruned since it was listed.
      if (entry.token === mine.token && seq === this.#head + 1n) this.#head = seq;
      return { is: "exists", entry };
    }
  }

  async #newestLog(signal: AbortSignal): Promise<ListedLog> {
    const jobFolder = jobFolderOf(this.#place);
    const log = await listLog(this.#place.fileSystem, jobFolder, signal);
    if (log !== undefined) return log;
    throw new CheckpointMissingError(`the checkpoint in ${jobFolder} is gone while the job runs`, {
      hint: "put the folder back from a snapshot before the job starts again; without it the job would begin anew",
    });
  }

  /** What it leaves undone, because HDFS is away or the log another's by now, the next append or writer does. */
  async #roll(): Promise<void> {
    // Not the append's own signal: that has been answered.
    const { signal } = new AbortController();
    try {
      const log = await listFolder(this.#place.fileSystem, this.#logFolder, signal);
      if (log === undefined) return;
      const rolled = await roll(this.#place, log, this.#texts, signal);
      this.#forgetTexts(rolled);
      this.#singles -= rolled.length;
    } catch (error) {
      this.#mayRollLate = true;
      if (!(error instanceof TidemarkError)) this.#rollFailure = error;
    } finally {
      this.#rolling = undefined;
    }
  }

  #keepText(path: string, text: Uint8Array): void {
    if (this.#textsBytes + text.byteLength > KEPT_TEXTS_BYTES) this.#forgetTexts([...this.#texts.keys()]);
    if (text.byteLength > KEPT_TEXTS_BYTES) return;
    this.#texts.set(path, text);
    this.#textsBytes += text.byteLength;
  }

  #forgetTexts(paths: readonly string[]): void {
    for (const path of paths) {
      this.#textsBytes -= this.#texts.get(path)?.byteLength ?? 0;
      this.#texts.delete(path);
    }
  }
}
