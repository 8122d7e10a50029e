// What is wrong or unwise about the folder of a store in HDFS, for `doctor`. It tries out the very steps an append is
// made of, in a file that it removes again, and looks at who may read the folder and at what was left behind. It never
// touches a log.
import { randomBytes } from "node:crypto";
import type { HdfsFileSystem } from "../../connectors/hdfs/client.ts";
import { TidemarkError } from "../../runtime/index.ts";
import { isJobName } from "../job-name.ts";
import { jobOfTemporary } from "./temporary-file.ts";

const LEFT_BEHIND_AFTER_MS = 3_600_000;
/** Files of one job: more are a sign that rolling them together does not succeed. */
const FILES_MANY = 200;

type Step = (fileSystem: HdfsFileSystem, dir: string, signal: AbortSignal) => Promise<readonly string[]>;

/** The findings about the store's folder `dir`, one a line; one that does not exist is made when a job begins. */
export async function examineFolder(
  fileSystem: HdfsFileSystem,
  dir: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const step of [checkPermissions, tryAppend, findLeftovers, countFiles] satisfies Step[]) {
    try {
      if ((await fileSystem.status(dir, signal)) === undefined) return findings;
      findings.push(...(await step(fileSystem, dir, signal)));
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      findings.push(error.hint === undefined ? error.message : `${error.message}: ${error.hint}`);
      return findings;
    }
  }
  return findings;
}

async function checkPermissions(fileSystem: HdfsFileSystem, dir: string, signal: AbortSignal): Promise<string[]> {
  const { mode = "700" } = (await fileSystem.status(dir, signal)) ?? {};
  if ((Number.parseInt(mode, 8) & 0o077) === 0) return [];
  return [`${dir} is open to other users (${mode}): hdfs dfs -chmod 700 ${dir}`];
}

/** Write, move; and a second move to the same name must fail, or nobody is ever refused. */
async function tryAppend(fileSystem: HdfsFileSystem, dir: string, signal: AbortSignal): Promise<string[]> {
  const token = randomBytes(16).toString("hex");
  const [temporary, another, moved] = ["a", "b", "c"].map((letter) => `${dir}/.doctor-${token}-${letter}`) as [
    string,
    string,
    string,
  ];
  try {
    for (const path of [temporary, another])
      await fileSystem.create(path, Buffer.from("tried by doctor\n"), { signal });
    await fileSystem.move(temporary, moved, signal);
    const second = await fileSystem.move(another, moved, signal);
    return second === "taken" ? [] : [`${dir} lets a file be moved onto another: it cannot keep a checkpoint`];
  } finally {
    await Promise.all([temporary, another, moved].map((path) => fileSystem.remove(path, signal)));
  }
}

async function findLeftovers(fileSystem: HdfsFileSystem, dir: string, signal: AbortSignal): Promise<string[]> {
  const there = (await fileSystem.list(dir, signal)) ?? [];
  const old = there.filter(
    (item) => jobOfTemporary(item) !== undefined && item.modifiedAtMs < Date.now() - LEFT_BEHIND_AFTER_MS,
  );
  if (old.length === 0) return [];
  return [`${dir} has ${old.length} file(s) .tmp-* left by a crash: starting their job again removes them`];
}

async function countFiles(fileSystem: HdfsFileSystem, dir: string, signal: AbortSignal): Promise<string[]> {
  const findings: string[] = [];
  for (const job of (await fileSystem.list(dir, signal)) ?? []) {
    if (!job.isFolder || !isJobName(job.name)) continue;
    for (const log of (await fileSystem.list(`${dir}/${job.name}`, signal)) ?? []) {
      const { length } = (await fileSystem.list(`${dir}/${job.name}/${log.name}`, signal)) ?? [];
      if (length > FILES_MANY) findings.push(`the log of ${job.name} has ${length} files, which is many for HDFS`);
    }
  }
  return findings;
}
