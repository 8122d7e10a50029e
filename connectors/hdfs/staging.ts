// Shuts out older writers of the same job: opening makes a new staging folder and then moves every other one of the job
// into it. What an older writer moves afterwards goes through a path that is no longer there. Of two that open at once,
// one moves the other.
import { randomBytes } from "node:crypto";
import { type SinkContext, TransientError } from "../../runtime/index.ts";
import { shortLineage } from "./batch-file.ts";
import type { HdfsFileSystem } from "./file-system.ts";
import { jobOfTemporary, shutOut } from "./output.ts";

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

/**
 * Takes over a job's output in a folder that exists, and removes what its older writers left half done.
 * @returns the path of a new, empty staging folder, the only one of the job
 * @throws TransientError a newer epoch has it, or another run took it over at the same time
 */
export async function takeStaging(
  fileSystem: HdfsFileSystem,
  dir: string,
  { jobName, lineageId, epoch }: SinkContext,
  signal: AbortSignal,
): Promise<string> {
  const prefix = `_staging-${jobName}-`;
  const lineage = shortLineage(lineageId);
  const name = `${prefix}${lineage}-${epoch}-${randomBytes(8).toString("hex")}`;
  const mine = `${dir}/${name}`;
  await fileSystem.makeFolder(mine, "700", signal);
  // Listed only now: of two that do this at once, at least the later one sees the other.
  const there = (await fileSystem.list(dir, signal)) ?? [];
  const others = there.filter((each) => each.name !== name).flatMap((each) => parse(each.name, prefix));
  if (others.some((other) => other.lineage === lineage && other.epoch > epoch)) {
    await fileSystem.remove(mine, signal);
    throw shutOut({ dir, jobName });
  }
  for (const other of others) await moveInto(fileSystem, mine, `${dir}/${other.name}`, other.token, signal);
  if ((await fileSystem.status(mine, signal)) === undefined) throw shutOut({ dir, jobName });

  const leftovers = others.map(({ token }) => `${mine}/${token}`);
  for (const item of there) if (jobOfTemporary(item) === jobName) leftovers.push(`${dir}/${item.name}`);
  for (const path of leftovers) await fileSystem.remove(path, signal);
  return mine;
}

function parse(name: string, prefix: string): StagingName[] {
  if (!name.startsWith(prefix)) return [];
  const [, lineage, epoch, token] = SUFFIX.exec(name.slice(prefix.length)) ?? [];
  if (lineage === undefined || epoch === undefined || token === undefined) return [];
  return [{ name, lineage, epoch: BigInt(epoch), token }];
}

/** Where it is not there any more, its writer has gone, or this one was moved away itself, which is found out next. */
async function moveInto(
  fileSystem: HdfsFileSystem,
  mine: string,
  other: string,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const moved = await fileSystem.move(other, `${mine}/${token}`, signal);
  if (moved === "taken") throw new TransientError(`${mine} was not empty`);
}
