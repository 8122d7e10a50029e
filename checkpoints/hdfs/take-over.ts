// Becoming a job's one writer. Order: rename the log folder to a name with a fresh token (of two only one finds the old
// name), list the entries, let the caller begin its term, append that entry like any other. Whoever is overtaken on the
// way starts again; to let others finish, a taker waits a little where a term seems about to begin. A job that is new
// here gets its folder, made ready beside it, by one rename.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { FileStatus } from "../../connectors/hdfs/client.ts";
import type { LogWriter, NumberedEntry } from "../../runtime/index.ts";
import { findLog, firstMarkName, listFolder, logFolderName } from "./log-folder.ts";
import { HdfsLogWriter } from "./log-writer.ts";
import { removeAll } from "./roll.ts";
import { forget, type JobPlace, jobFolderOf, jobOfTemporary } from "./temporary-file.ts";

/** Names of job folders that are being made begin so. */
const NEW_JOB_PREFIX = ".new-";

const ABANDONED_AFTER_MS = 3_600_000;
const PAUSE_MAX_MS = 100;
/** Whoever seems about to begin a term, and has not so often, may be dead. */
const COURTESIES = 20;

/** How long a taker still waits for another one. */
interface Courtesy {
  /** The log folder that the other one has taken. */
  before: string | undefined;
  left: number;
}

/** Takes the job's log over: see `CheckpointStore.takeOver`. Goes on until it has it or the signal says stop. */
export async function takeOver(
  place: JobPlace,
  begin: (head: bigint) => NumberedEntry,
  signal: AbortSignal,
): Promise<LogWriter> {
  const courtesy: Courtesy = { before: undefined, left: COURTESIES };
  for (;;) {
    signal.throwIfAborted();
    const logFolder = await claim(place, courtesy, signal);
    const writer = logFolder === undefined ? undefined : await beginTerm(place, logFolder, begin, signal);
    if (writer !== undefined) return writer;
    // Random, so that many who overtake each other come apart.
    await delay(Math.random() * PAUSE_MAX_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Makes the log folder this taker's own; gives its path, undefined when it is somebody else's turn. */
async function claim(place: JobPlace, courtesy: Courtesy, signal: AbortSignal): Promise<string | undefined> {
  const { fileSystem, dir, jobName } = place;
  const jobFolder = jobFolderOf(place);
  const inStore = (await fileSystem.list(dir, signal)) ?? [];
  const found = await findLog(fileSystem, jobFolder, signal);
  const token = randomBytes(16).toString("hex");
  if (found === undefined) return await createJob(place, inStore, token, signal);

  // Renaming changes the job's folder; the entry that begins a term then changes the log's.
  const takenAtMs = inStore.find(({ name }) => name === jobName)?.modifiedAtMs ?? 0;
  if (takenAtMs > found.changedAtMs && waits(courtesy, found.path)) return undefined;
  const logFolder = `${jobFolder}/${logFolderName(token)}`;
  if ((await fileSystem.move(found.path, logFolder, signal)) !== "moved") return undefined;
  // Listed before the rename, so that their makers were writers before this one: they find no folder any more.
  const temporaries = inStore.filter((item) => jobOfTemporary(item) === jobName).map(({ name }) => `${dir}/${name}`);
  await removeAll(place, temporaries, signal);
  return logFolder;
}

/** Whether to wait once more for whoever has taken this log folder. */
function waits(courtesy: Courtesy, path: string): boolean {
  if (courtesy.before !== path) courtesy.left = COURTESIES;
  courtesy.before = path;
  return courtesy.left-- > 0;
}

async function createJob(
  place: JobPlace,
  inStore: readonly FileStatus[],
  token: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { fileSystem, dir } = place;
  await fileSystem.makeFolder(dir, "700", signal);
  await removeAll(place, abandoned(inStore, dir), signal);
  const fresh = `${dir}/${NEW_JOB_PREFIX}${token}`;
  await fileSystem.makeFolder(fresh, "700", signal);
  await fileSystem.makeFolder(`${fresh}/${logFolderName(token)}/${firstMarkName(0n)}`, "700", signal);
  const jobFolder = jobFolderOf(place);
  if ((await fileSystem.move(fresh, jobFolder, signal)) === "moved") return `${jobFolder}/${logFolderName(token)}`;
  forget(fileSystem, fresh, signal);
  return undefined;
}

/** What creators left behind that were killed. One that only slept finds its folder gone and starts again. */
function abandoned(inStore: readonly FileStatus[], dir: string): readonly string[] {
  const isOld = ({ modifiedAtMs }: FileStatus) => modifiedAtMs < Date.now() - ABANDONED_AFTER_MS;
  const left = inStore.filter((item) => item.isFolder && item.name.startsWith(NEW_JOB_PREFIX) && isOld(item));
  return left.map(({ name }) => `${dir}/${name}`);
}

/** Appends the entry that begins the term; undefined when a newer taker was there before it was done. */
async function beginTerm(
  place: JobPlace,
  logFolder: string,
  begin: (head: bigint) => NumberedEntry,
  signal: AbortSignal,
): Promise<LogWriter | undefined> {
  const log = await listFolder(place.fileSystem, logFolder, signal);
  if (log === undefined) return undefined;
  const head = log.head ?? -1n;
  const { seq, entry } = begin(head);
  if (seq <= head) throw new RangeError(`a term cannot begin at entry ${seq}: the head is ${head}`);
  const singles = log.files.filter(({ from, to }) => from === to).length;
  const writer = new HdfsLogWriter({ place, logFolder, head: seq - 1n, singles });
  const appended = await writer.append(seq, entry, [], signal);
  const begun = appended.is === "appended" || (appended.is === "exists" && appended.entry.token === entry.token);
  return begun ? writer : undefined;
}
