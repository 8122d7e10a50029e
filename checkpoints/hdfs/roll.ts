// Rolls the files of a log's oldest single entries together, so that their number stays bounded: write one file of
// their texts, move it in, remove the single ones. Readers take the entries from whichever is there. A writer that was
// overtaken finds no folder to move it into, and none of the single files by the paths that it knows.
import { decodeEntries } from "./entry-file.ts";
import { type ListedLog, type LogFile, rolledFileName } from "./log-folder.ts";
import { forget, type JobPlace, writeTemporary } from "./temporary-file.ts";

/** So many single files are rolled into one: 1,000 entries that are kept are about as many files of either kind. */
export const ROLLED_TOGETHER = 32;
/** Of what is rolled into one file, unless two are more already. */
const ROLLED_MAX_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 8;

/**
 * Rolls the oldest single entries together if there are enough, and removes what was left half done.
 * @param texts of some files, by path, which need not be read
 * @returns the paths of the files that were rolled into one
 */
export async function roll(
  place: JobPlace,
  log: ListedLog,
  texts: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const singles = log.files.filter(({ from, to }) => from === to).length;
  const together = singles < ROLLED_TOGETHER ? [] : oldestTogether(log.files);
  const rolled = (await moveInTogether(place, log, together, texts, signal)) ? together.map(({ path }) => path) : [];
  await removeAll(place, [...rolled, ...log.leftovers], signal);
  return rolled;
}

/** Whether there is one file of these entries now. */
async function moveInTogether(
  place: JobPlace,
  log: ListedLog,
  together: readonly LogFile[],
  known: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  const [first, last] = [together[0], together.at(-1)];
  if (first === undefined || last === undefined || first === last) return false;
  const texts = await readAll(place, together, known, signal);
  if (texts === undefined) return false;
  const temporary = await writeTemporary(place, Buffer.concat(texts), signal);
  try {
    const path = `${log.path}/${rolledFileName(first.from, last.to)}`;
    const moved = await place.fileSystem.move(temporary, path, signal);
    if (moved === "moved") return true;
  } catch (error) {
    // If the reply was lost, it may be moved yet, unless it is gone before.
    forget(place.fileSystem, temporary, signal);
    throw error;
  }
  forget(place.fileSystem, temporary, signal);
  return false;
}

/** Removes files, some at once; those that are gone already are as good. */
export async function removeAll(
  { fileSystem }: JobPlace,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    await Promise.all(paths.slice(start, start + AT_ONCE).map((path) => fileSystem.remove(path, signal)));
  }
}

/** The oldest single entries whose numbers follow one another, as many as may be rolled into one. */
function oldestTogether(files: readonly LogFile[]): readonly LogFile[] {
  const together: LogFile[] = [];
  let bytes = 0;
  for (const file of files) {
    const last = together.at(-1);
    const follows = file.from === file.to && (last === undefined || file.from === last.to + 1n);
    if (together.length >= 2 && (!follows || bytes + file.length > ROLLED_MAX_BYTES)) break;
    if (!follows) together.length = bytes = 0;
    if (file.from !== file.to) continue;
    together.push(file);
    bytes += file.length;
    if (together.length === ROLLED_TOGETHER) break;
  }
  return together;
}

/**
 * The files' bytes; undefined when one is gone: another writer's affair by then. A damaged one stays alone, so that
 * what is sound can be read.
 */
async function readAll(
  { fileSystem }: JobPlace,
  files: readonly LogFile[],
  known: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array[] | undefined> {
  const texts: Uint8Array[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const some = files.slice(start, start + AT_ONCE);
    const read = await Promise.all(
      some.map(({ path, length }) => known.get(path) ?? fileSystem.read(path, { length, maxBytes: length, signal })),
    );
    for (const [index, text] of read.entries()) {
      if (text === undefined) return undefined;
      decodeEntries(text, some[index]?.path ?? "");
      texts.push(text);
    }
  }
  return texts;
}
