// What is wrong or unwise about the folder of a file store, for `doctor`. It tries out the very steps an append is made
// of, in a file that it removes again, and looks at who may read the folder, at the file system under it and at what
// was left behind. It never touches a log.
import { randomBytes } from "node:crypto";
import { access, constants, link, readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isJobName } from "../job-name.ts";
import { errorCode, nothingHappened } from "./disk-errors.ts";
import { TEMPORARY_PREFIX } from "./log-folder.ts";
import { syncFolder } from "./sync-folder.ts";

const LEFT_BEHIND_AFTER_MS = 3_600_000;

/**
 * statfs(2) types of file systems where other machines write too, or where link and fsync depend on the program behind.
 */
const REMOTE_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "SMB (cifs)"],
  [0xfe534d42, "SMB 2"],
  [0x65735546, "FUSE"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
]);

/**
 * The findings about the store's folder `dir`, one a line; a folder that does not exist yet is only unwise if it cannot
 * be made.
 */
export async function examineFolder(dir: string, signal: AbortSignal): Promise<readonly string[]> {
  const findings: string[] = [];
  const steps = [checkFileSystem, checkPermissions, tryAppend, findLeftovers];
  for (const step of (await exists(dir)) ? steps : [checkFileSystem, checkCanBeMade]) {
    signal.throwIfAborted();
    try {
      findings.push(...(await step(dir)));
    } catch (error) {
      const { message, hint } = nothingHappened(error, "examine", dir);
      findings.push(hint === undefined ? message : `${message}: ${hint}`);
    }
  }
  return findings;
}

async function checkFileSystem(dir: string): Promise<string[]> {
  const { type } = await statfs(await nearest(dir));
  // The kernel's number is signed on some platforms.
  const name = REMOTE_FILE_SYSTEMS.get(type >>> 0);
  if (name === undefined) return [];
  return [`${dir} is on ${name}: only a local disk is known to keep one writer and lose nothing`];
}

async function checkCanBeMade(dir: string): Promise<string[]> {
  await access(await nearest(dir), constants.W_OK | constants.X_OK);
  return [];
}

async function checkPermissions(dir: string): Promise<string[]> {
  const findings: string[] = [];
  for (const path of [dir, ...(await jobFolders(dir))]) {
    const mode = (await stat(path)).mode & 0o777;
    if ((mode & 0o077) === 0) continue;
    findings.push(`${path} is open to other users (${mode.toString(8).padStart(4, "0")}): chmod 700 ${path}`);
  }
  return findings;
}

/** Write, fsync, link, fsync the folder; and a second link to the same name must fail, or nobody is ever refused. */
async function tryAppend(dir: string): Promise<string[]> {
  const temporary = join(dir, `${TEMPORARY_PREFIX}${randomBytes(16).toString("hex")}`);
  const linked = `${temporary}.entry`;
  try {
    await writeFile(temporary, "tried by doctor\n", { flag: "wx", mode: 0o600, flush: true });
    await link(temporary, linked);
    await syncFolder(dir);
    const second = await link(temporary, linked).catch(errorCode);
    return second === "EEXIST" ? [] : [`${dir} lets a name be linked twice: its file system cannot keep a checkpoint`];
  } finally {
    await Promise.all([rm(temporary, { force: true }), rm(linked, { force: true })]);
  }
}

async function findLeftovers(dir: string): Promise<string[]> {
  const findings: string[] = [];
  for (const folder of [dir, ...(await jobFolders(dir))]) {
    const old: string[] = [];
    for (const name of await readdir(folder)) {
      if (!name.startsWith(TEMPORARY_PREFIX)) continue;
      const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (mtimeMs < Date.now() - LEFT_BEHIND_AFTER_MS) old.push(name);
    }
    if (old.length > 0)
      findings.push(`${folder} has ${old.length} file(s) ${TEMPORARY_PREFIX}* left by a crash: they may be removed`);
  }
  return findings;
}

async function jobFolders(dir: string): Promise<string[]> {
  const there = await readdir(dir, { withFileTypes: true });
  return there.filter((item) => item.isDirectory() && isJobName(item.name)).map((item) => join(dir, item.name));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function nearest(path: string): Promise<string> {
  return (await exists(path)) || dirname(path) === path ? path : await nearest(dirname(path));
}
