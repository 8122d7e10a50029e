// One entry out of a listed log, from whichever file holds it.
import { CheckpointCorruptError, type Entry, type NumberedEntry } from "../../runtime/index.ts";
import { decodeEntries, MAX_ENTRY_BYTES } from "./entry-file.ts";
import type { ListedLog, LogFile } from "./log-folder.ts";
import type { JobPlace } from "./temporary-file.ts";

/** Of one file: an entry with its first line, or as much as is rolled into one. */
const FILE_MAX_BYTES = 3 * MAX_ENTRY_BYTES;

/** Whether an entry of this number counts. */
export function isPartOf({ files, first }: ListedLog, seq: bigint): boolean {
  return first !== undefined && seq >= first && files.some(({ from, to }) => from <= seq && seq <= to);
}

/**
 * The entries of a file of the log, undefined when it is not there any more.
 * @throws CheckpointCorruptError it is damaged
 */
export async function readLogFile(
  { fileSystem }: JobPlace,
  { path, length, from, to }: LogFile,
  signal: AbortSignal,
): Promise<readonly NumberedEntry[] | undefined> {
  const text = await fileSystem.read(path, { length, maxBytes: FILE_MAX_BYTES, signal });
  if (text === undefined) return undefined;
  const entries = decodeEntries(text, path);
  if (entries[0]?.seq === from && entries.at(-1)?.seq === to) return entries;
  throw new CheckpointCorruptError(`${path} holds other entries than its name says`, {
    hint: "put the file back from a snapshot, or reset the job",
  });
}

/** The entry, undefined when its file is not there any more, or never had it. */
export async function readEntry(
  place: JobPlace,
  { files }: ListedLog,
  seq: bigint,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  const file = files.find(({ from, to }) => from <= seq && seq <= to);
  if (file === undefined) return undefined;
  return (await readLogFile(place, file, signal))?.find((item) => item.seq === seq)?.entry;
}
