// The folder in which a writer prepares its files, and by which older writers of the same job are shut out: opening
// makes a new folder and then moves every other one of the job into it. What an older writer does afterwards goes
// through a path that is no longer there: it can neither create a file nor rename one to its final name. Of two that
// open at once, one moves the other.
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, type SinkContext, TransientError } from "../../runtime/index.ts";
import { shortLineage } from "./batch-file.ts";
import { hasErrno } from "./errno.ts";

const JOB_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
/**
 * What follows `_staging-<job>-`. No part has a dash, so that job "a" never takes a folder of job "a-b" for its own.
 */
const SUFFIX = /^([0-9A-Za-z]{8})-(\d+)-([0-9a-f]{16})$/;

interface StagingName {
  readonly name: string;
  readonly lineage: string;
  readonly epoch: bigint;
  readonly token: string;
}

/** The error of a writer that a newer one has shut out; the log decides which of them goes on. */
export function shutOut(dir: string, jobName: string, cause?: unknown): TransientError {
  return new TransientError(`the output of "${jobName}" in ${dir} was taken over by another run`, {
    code: "SINK_FENCED",
    hint: `if there is no other run (an old checkpoint was put back), delete the folders _staging-${jobName}-* there`,
    cause,
  });
}

/**
 * Takes over a job's output in a folder that exists.
 * @returns the path of a new, empty staging folder, the only one of the job
 * @throws TransientError a newer epoch has it, or another run took it over at the same time
 */
export async function takeStaging(dir: string, { jobName, lineageId, epoch }: SinkContext): Promise<string> {
  if (!JOB_NAME.test(jobName)) throw new ConfigError(`"${jobName}" is no job name`);
  const prefix = `_staging-${jobName}-`;
  const lineage = shortLineage(lineageId);
  const name = `${prefix}${lineage}-${epoch}-${randomBytes(8).toString("hex")}`;
  const mine = join(dir, name);
  await mkdir(mine, { mode: 0o700 });
  // Listed only now: of two that do this at once, at least the later one sees the other.
  const others = (await readdir(dir)).filter((each) => each !== name).flatMap((each) => parse(each, prefix));
  if (others.some((other) => other.lineage === lineage && other.epoch > epoch)) {
    await rmdir(mine).catch(() => undefined);
    throw shutOut(dir, jobName);
  }
  for (const other of others) await moveInto(mine, join(dir, other.name), other.token);
  try {
    await stat(mine);
  } catch (cause) {
    throw shutOut(dir, jobName, cause);
  }
  // What cannot be removed now, because its writer is still adding to it, is in nobody's way and goes when this one
  // closes.
  for (const other of others)
    await rm(join(mine, other.token), { recursive: true, force: true }).catch(() => undefined);
  return mine;
}

function parse(name: string, prefix: string): StagingName[] {
  if (!name.startsWith(prefix)) return [];
  const [, lineage, epoch, token] = SUFFIX.exec(name.slice(prefix.length)) ?? [];
  if (lineage === undefined || epoch === undefined || token === undefined) return [];
  return [{ name, lineage, epoch: BigInt(epoch), token }];
}

async function moveInto(mine: string, other: string, token: string): Promise<void> {
  try {
    await rename(other, join(mine, token));
  } catch (error) {
    // Either the other writer has gone, or this one was moved away itself (EINVAL: into the other one, at this very
    // moment), which is found out next.
    if (!hasErrno(error, "ENOENT", "EINVAL")) throw error;
  }
}
