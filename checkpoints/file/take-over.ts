// Becoming a job's one writer. Order: rename the log folder to a name with a fresh token (atomic; of two only one finds
// the old name), fsync the job's folder, list the entries, fsync the log folder so that what was listed stays, let the
// caller begin its term, append that entry like any other. Whoever is overtaken on the way starts again. A job that is
// new here gets its folder, made ready beside it, by one rename.
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type LogWriter, type NumberedEntry, TidemarkError } from "../../runtime/index.ts";
import { errorCode, nothingHappened } from "./disk-errors.ts";
import { findLog, listEntries, logFolderName } from "./log-folder.ts";
import { FileLogWriter } from "./log-writer.ts";
import { syncFolder } from "./sync-folder.ts";

/** Names of job folders that are being made begin so. */
const NEW_JOB_PREFIX = ".new-";

const ABANDONED_AFTER_MS = 3_600_000;
const BACKOFF_MAX_MS = 200;

/** The job in the store's folder; both absolute. */
export interface JobPlace {
  readonly dir: string;
  readonly jobFolder: string;
}

/** Takes the job's log over: see `CheckpointStore.takeOver`. Goes on until it has it or the signal says stop. */
export async function takeOver(
  place: JobPlace,
  begin: (head: bigint) => NumberedEntry,
  signal: AbortSignal,
): Promise<LogWriter> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const logFolder = await claim(place);
    const writer = logFolder === undefined ? undefined : await beginTerm(place, logFolder, begin, signal);
    if (writer !== undefined) return writer;
    // Random, so that many who overtake each other come apart.
    await delay(Math.random() * Math.min(2 ** attempt, BACKOFF_MAX_MS), undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    );
  }
}

/** Makes the log folder this taker's own; gives its path, undefined when somebody else was faster. */
async function claim(place: JobPlace): Promise<string | undefined> {
  const found = await findLog(place.jobFolder);
  const token = randomBytes(16).toString("hex");
  try {
    if (found === undefined) return await createJob(place, token);
    const logFolder = join(place.jobFolder, logFolderName(token));
    await rename(found.path, logFolder);
    // The store's folder as well: whoever made the job's folder may have been killed before its name was durable.
    await Promise.all([syncFolder(place.jobFolder), syncFolder(place.dir)]);
    // Listed before the rename, so that their makers were writers before this one: their links would fail now anyhow.
    await Promise.all(found.temporaries.map((path) => rm(path, { force: true }).catch(() => undefined)));
    return logFolder;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error instanceof TidemarkError ? error : nothingHappened(error, "take over", place.jobFolder);
  }
}

async function createJob({ dir, jobFolder }: JobPlace, token: string): Promise<string | undefined> {
  await makeRoot(dir).catch((error) => {
    throw nothingHappened(error, "make", dir);
  });
  await sweepAbandoned(dir);
  const fresh = join(dir, `${NEW_JOB_PREFIX}${token}`);
  await mkdir(join(fresh, logFolderName(token)), { recursive: true, mode: 0o700 });
  await syncFolder(fresh);
  try {
    await rename(fresh, jobFolder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if (errorCode(error) === "ENOTEMPTY" || errorCode(error) === "EEXIST") return undefined;
    throw error;
  }
  await syncFolder(dir);
  return join(jobFolder, logFolderName(token));
}

/** Makes the store's folder durably, and keeps it out of git: a checkpoint belongs to one place, not to a history. */
async function makeRoot(dir: string): Promise<void> {
  const firstMade = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (firstMade !== undefined) {
    for (let made = dir; made.length >= firstMade.length; made = dirname(made)) await syncFolder(dirname(made));
  }
  if ((await readdir(dir)).length > 0) return;
  await writeFile(join(dir, ".gitignore"), "*\n", { mode: 0o600 });
}

/** Removes what creators left behind that were killed. One that only slept finds its folder gone and starts again. */
async function sweepAbandoned(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.startsWith(NEW_JOB_PREFIX)) continue;
    const path = join(dir, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (mtimeMs < Date.now() - ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

/** Appends the entry that begins the term; undefined when a newer taker was there before it was done. */
async function beginTerm(
  { jobFolder }: JobPlace,
  logFolder: string,
  begin: (head: bigint) => NumberedEntry,
  signal: AbortSignal,
): Promise<LogWriter | undefined> {
  const handle = await openFolder(logFolder);
  if (handle === undefined) return undefined;
  try {
    const seqs = await listEntries(logFolder);
    if (seqs === undefined) return await closed(handle);
    await handle.sync().catch((error) => {
      throw nothingHappened(error, "sync", logFolder);
    });

    const head = seqs.at(-1) ?? -1n;
    const { seq, entry } = begin(head);
    if (seq <= head) throw new RangeError(`a term cannot begin at entry ${seq}: the head is ${head}`);
    const writer = new FileLogWriter({ jobFolder, logFolder, handle, first: seqs[0] ?? seq, head: seq - 1n });
    const appended = await writer.append(seq, entry, [], signal);
    // An older writer's append that was under way may have come first, or a newer taker; a newer taker after it is no
    // matter.
    const begun = appended.is === "appended" || (appended.is === "exists" && appended.entry.token === entry.token);
    return begun ? writer : await closed(handle);
  } catch (error) {
    await closed(handle);
    throw error;
  }
}

async function openFolder(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw nothingHappened(error, "open", path);
  }
}

async function closed(handle: FileHandle): Promise<undefined> {
  await handle.close();
  return undefined;
}
