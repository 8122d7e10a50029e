// A folder that another user can own and reach: below the server's own folder where that user may walk there, else in
// /var/tmp, with a link to it.
import { chown, lstat, mkdir, mkdtemp, realpath, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunAs } from "../run-program.ts";

const executableByOthers = 0o001;

/**
 * Makes `path` and gives it to `runAs`, unless it is there. Answers with the place that `runAs` can reach, without
 * links: `path` itself or what it stands for.
 */
export async function ensureDataFolder(path: string, runAs: RunAs | undefined): Promise<string> {
  if ((await lstat(path).catch(() => undefined)) === undefined) {
    if (runAs === undefined || (await isReachableByOthers(dirname(path)))) {
      await mkdir(path, { mode: 0o700 });
    } else {
      await symlink(await mkdtemp(join("/var/tmp", "tidemark-postgres-")), path);
    }
    if (runAs) await chown(path, runAs.uid, runAs.gid);
  }
  return await realpath(path);
}

async function isReachableByOthers(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & executableByOthers) === 0) return false;
  return folder === dirname(folder) || (await isReachableByOthers(dirname(folder)));
}
