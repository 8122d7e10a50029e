// Files that are being written: DIR/.tmp-<job>-<token>. They become part of a log by being moved into its folder, which
// makes no folder: where a newer writer has renamed it, the move finds none, for ever. They lie in the store's folder,
// since writing a file makes the folders above it, and must not bring back one that was renamed.
import { randomBytes } from "node:crypto";
import type { FileStatus, HdfsFileSystem, Moved } from "../../connectors/hdfs/client.ts";

const TEMPORARY = /^\.tmp-([a-z0-9][a-z0-9_-]*)-[0-9a-f]{32}$/;

/** A job's place in the store. */
export interface JobPlace {
  readonly fileSystem: HdfsFileSystem;
  /** The store's folder. */
  readonly dir: string;
  readonly jobName: string;
}

/** The folder of a job. */
export function jobFolderOf({ dir, jobName }: Pick<JobPlace, "dir" | "jobName">): string {
  return `${dir}/${jobName}`;
}

/** The job whose temporary file this is, undefined for all else. */
export function jobOfTemporary({ name, isFolder }: FileStatus): string | undefined {
  return isFolder ? undefined : TEMPORARY.exec(name)?.[1];
}

/**
 * Writes a temporary file and gives its path.
 * @throws TransientError nothing that counts was written
 */
export async function writeTemporary(place: JobPlace, bytes: Uint8Array, signal: AbortSignal): Promise<string> {
  const { fileSystem, dir, jobName } = place;
  const path = `${dir}/.tmp-${jobName}-${randomBytes(16).toString("hex")}`;
  try {
    await fileSystem.create(path, bytes, { mode: "600", signal });
    return path;
  } catch (error) {
    forget(fileSystem, path, signal);
    throw error;
  }
}

/** Writes a file in the place of the one that is there; "missing": the folder is not. */
export async function replaceFile(
  place: JobPlace,
  path: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<Moved> {
  const temporary = await writeTemporary(place, bytes, signal);
  const moved = await place.fileSystem.replace(temporary, path, signal);
  if (moved !== "moved") forget(place.fileSystem, temporary, signal);
  return moved;
}

/** Removes a file that does not matter, without waiting for it: what is left over, the next take-over sweeps. */
export function forget(fileSystem: HdfsFileSystem, path: string, signal: AbortSignal): void {
  fileSystem.remove(path, signal).catch(() => undefined);
}
