// Where a job's log lies: DIR/<job>/log-<token>/<seq>.entry. There is exactly one log folder, and its name carries the
// token of the writer that took over last; taking over renames it, so anyone may find it gone between two steps and
// then looks again. Nothing in this file changes the disk.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointCorruptError } from "../../runtime/index.ts";
import { errorCode, nothingHappened } from "./disk-errors.ts";

/** Names of files that are being written begin so; they lie beside the log folder, never in it. */
export const TEMPORARY_PREFIX = ".tmp-";
/** Entries are numbered below this, so that 16 digits always do. */
const SEQ_LIMIT = 10n ** 16n;

const LOG_FOLDER = /^log-[0-9a-f]{32}$/;
const ENTRY_FILE = /^(\d{16})\.entry$/;
const LISTINGS_MAX = 20;

/** A log folder, and the temporary files that lay beside it when it was found. */
export interface FoundLog {
  readonly path: string;
  readonly temporaries: readonly string[];
}

/** The entries of a log, ascending. */
export interface ListedLog {
  readonly path: string;
  readonly seqs: readonly bigint[];
}

/** The name of the folder that the writer with this token owns. */
export function logFolderName(token: string): string {
  return `log-${token}`;
}

/** The name of an entry's file: sorts like the entries. */
export function entryFileName(seq: bigint): string {
  if (seq < 0n || seq >= SEQ_LIMIT) throw new RangeError(`${seq} is no entry number`);
  return `${seq.toString().padStart(16, "0")}.entry`;
}

/**
 * The one log folder of a job, undefined when the job has none here.
 * @throws CheckpointCorruptError something lies there, but not one log
 */
export async function findLog(jobFolder: string): Promise<FoundLog | undefined> {
  let logs: string[] = [];
  // A listing that meets a rename may hold both names or neither; one that keeps doing so is no race.
  for (let listing = 0; listing < LISTINGS_MAX; listing++) {
    const there = await list(jobFolder);
    if (there === undefined || there.length === 0) return undefined;
    logs = there.filter((item) => item.isDirectory() && LOG_FOLDER.test(item.name)).map((item) => item.name);
    const [only] = logs;
    if (only !== undefined && logs.length === 1) {
      const temporaries = there.map((item) => item.name).filter((name) => name.startsWith(TEMPORARY_PREFIX));
      return { path: join(jobFolder, only), temporaries: temporaries.map((name) => join(jobFolder, name)) };
    }
  }
  throw new CheckpointCorruptError(
    `${jobFolder} must have one log folder and has ${logs.length === 0 ? "none" : logs.join(" and ")}`,
    { hint: "put the folder back from a backup, or move it away to begin anew" },
  );
}

/** The log of a job with its entries (none yet, perhaps); undefined when the job has no log here. */
export async function listLog(jobFolder: string, signal: AbortSignal): Promise<ListedLog | undefined> {
  for (;;) {
    signal.throwIfAborted();
    const found = await findLog(jobFolder);
    if (found === undefined) return undefined;
    const seqs = await listEntries(found.path);
    if (seqs !== undefined) return { path: found.path, seqs };
  }
}

/**
 * The entries in a log folder, ascending; undefined when the folder is not there (any more). Every entry that was there
 * before the call and is not pruned during it is in the answer.
 */
export async function listEntries(logFolder: string): Promise<readonly bigint[] | undefined> {
  const seqs = await seqsIn(logFolder);
  const head = seqs?.at(-1);
  if (seqs === undefined || head === undefined || isDense(seqs)) return seqs;
  // A long listing is no snapshot: it may show an entry but not the one before it, if both came while it ran. All up to
  // this head are there now, so what a second listing does not have is really missing.
  return (await seqsIn(logFolder))?.filter((seq) => seq <= head);
}

async function seqsIn(logFolder: string): Promise<bigint[] | undefined> {
  const names = (await list(logFolder))?.filter((item) => item.isFile()).map((item) => item.name);
  return names
    ?.map((name) => ENTRY_FILE.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .sort()
    .map(BigInt);
}

function isDense(seqs: readonly bigint[]): boolean {
  const [first, last] = [seqs[0], seqs.at(-1)];
  return first === undefined || last === undefined || last - first === BigInt(seqs.length - 1);
}

async function list(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw nothingHappened(error, "list", folder);
  }
}
