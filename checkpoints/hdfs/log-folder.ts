// Where a job's log lies: DIR/<job>/log-<token>/ with a file for each of the newest entries (<seq>.entry), files of
// older ones rolled together (<seq>-<seq>.entries, both inclusive), and an empty folder first-<seq> that says what was
// pruned. There is exactly one log folder; taking over renames it, so anyone may find it gone between two steps and
// then looks again. Nothing in this file changes anything.
import type { FileStatus, HdfsFileSystem } from "../../connectors/hdfs/client.ts";
import { CheckpointCorruptError } from "../../runtime/index.ts";

/** Entries are numbered below this, so that 16 digits always do. */
const SEQ_LIMIT = 10n ** 16n;

const LOG_FOLDER = /^log-[0-9a-f]{32}$/;
const ENTRY_FILE = /^(\d{16})\.entry$/;
const ROLLED_FILE = /^(\d{16})-(\d{16})\.entries$/;
const FIRST = /^first-(\d{16})$/;

/** One file of the log. */
export interface LogFile {
  readonly path: string;
  /** Both inclusive; the same for a single entry. */
  readonly from: bigint;
  readonly to: bigint;
  /** In bytes. */
  readonly length: number;
}

/** A log folder without a look into it. */
export interface FoundLog {
  readonly path: string;
  /** When something in it was last made, moved or removed; by the name node's clock. */
  readonly changedAtMs: number;
}

/** What is in a log folder. */
export interface ListedLog {
  readonly path: string;
  /** In order, each entry in one of them, at least partly from `first` on. */
  readonly files: readonly LogFile[];
  /** No entry below it counts; undefined: there are no entries. */
  readonly first: bigint | undefined;
  readonly head: bigint | undefined;
  /** The folder whose name says what was pruned; undefined: somebody has removed it. */
  readonly firstMark: string | undefined;
  /** Files that are not needed any more: pruned, or rolled together with others. */
  readonly leftovers: readonly string[];
}

/** The name of the folder that the writer with this token owns. */
export function logFolderName(token: string): string {
  return `log-${token}`;
}

/** The name of the file of one entry. */
export function entryFileName(seq: bigint): string {
  return `${digits(seq)}.entry`;
}

/** The name of the file of several entries, both inclusive. */
export function rolledFileName(from: bigint, to: bigint): string {
  return `${digits(from)}-${digits(to)}.entries`;
}

/** The name that says that no entry below `seq` counts. */
export function firstMarkName(seq: bigint): string {
  return `first-${digits(seq)}`;
}

function digits(seq: bigint): string {
  if (seq < 0n || seq >= SEQ_LIMIT) throw new RangeError(`${seq} is no entry number`);
  return seq.toString().padStart(16, "0");
}

/**
 * The one log folder of a job, undefined when the job has none here.
 * @throws CheckpointCorruptError something lies there, but not one log
 */
export async function findLog(
  fileSystem: HdfsFileSystem,
  jobFolder: string,
  signal: AbortSignal,
): Promise<FoundLog | undefined> {
  const there = await fileSystem.list(jobFolder, signal);
  if (there === undefined) return undefined;
  const logs = there.filter(({ name, isFolder }) => isFolder && LOG_FOLDER.test(name));
  const [only] = logs;
  if (only !== undefined && logs.length === 1) {
    return { path: `${jobFolder}/${only.name}`, changedAtMs: only.modifiedAtMs };
  }
  const names = logs.map(({ name }) => name).join(" and ");
  throw new CheckpointCorruptError(`${jobFolder} must have one log folder and has ${names || "none"}`, {
    hint: `put it back from a snapshot, or move it away to begin anew: hdfs dfs -mv ${jobFolder} …`,
  });
}

/** The log of a job as it is now (without entries, perhaps); undefined when the job has no log here. */
export async function listLog(
  fileSystem: HdfsFileSystem,
  jobFolder: string,
  signal: AbortSignal,
): Promise<ListedLog | undefined> {
  for (;;) {
    const found = await findLog(fileSystem, jobFolder, signal);
    if (found === undefined) return undefined;
    const listed = await listFolder(fileSystem, found.path, signal);
    if (listed !== undefined) return listed;
  }
}

/** What is in a log folder; undefined when it is not there (any more). */
export async function listFolder(
  fileSystem: HdfsFileSystem,
  path: string,
  signal: AbortSignal,
): Promise<ListedLog | undefined> {
  const there = await fileSystem.list(path, signal);
  if (there === undefined) return undefined;
  const all = there.flatMap((item) => logFileOf(item, path)).sort(byNumber);
  const files: LogFile[] = [];
  const leftovers: string[] = [];
  const { mark, pruned } = firstMarkOf(there);
  for (const file of all) {
    const isRolled = file.to <= (files.at(-1)?.to ?? -1n);
    if (file.to < pruned || isRolled) leftovers.push(file.path);
    else files.push(file);
  }
  const lowest = files[0]?.from;
  return {
    path,
    files,
    first: lowest !== undefined && lowest < pruned ? pruned : lowest,
    head: files.at(-1)?.to,
    firstMark: mark,
    leftovers,
  };
}

function logFileOf({ name, isFolder, length }: FileStatus, folder: string): LogFile[] {
  if (isFolder) return [];
  const [, from = ENTRY_FILE.exec(name)?.[1], to = from] = ROLLED_FILE.exec(name) ?? [];
  if (from === undefined || to === undefined) return [];
  return [{ path: `${folder}/${name}`, from: BigInt(from), to: BigInt(to), length }];
}

/** Where two begin with the same number, the longer is first: the other one has been rolled into it. */
function byNumber(a: LogFile, b: LogFile): number {
  return Number(a.from - b.from || b.to - a.to);
}

/** Two could only be there if somebody else made one; the higher counts. */
function firstMarkOf(there: readonly FileStatus[]): { readonly mark: string | undefined; readonly pruned: bigint } {
  const names = there.filter(({ name, isFolder }) => isFolder && FIRST.test(name)).map(({ name }) => name);
  const mark = names.sort().at(-1);
  return { mark, pruned: BigInt(FIRST.exec(mark ?? "")?.[1] ?? 0) };
}
