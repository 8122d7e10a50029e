// What is in a sink's folder when it is opened: it is made if need be, and listed once. Files of this lineage say which
// batches are there; files of the job's earlier lineages stay, and the operator is told.
import { appendFile, mkdir, open, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SinkContext } from "../../runtime/index.ts";
import { parseBatchFileName, shortLineage } from "./batch-file.ts";
import { hasErrno } from "./errno.ts";

/** Makes the folder, durably, with those above it. */
export async function makeFolder(dir: string): Promise<void> {
  const first = await mkdir(dir, { mode: 0o755, recursive: true });
  if (first === undefined) return;
  for (let made = dir; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

/**
 * The batches of this lineage that are there: the hash of the plan, by batchId. Warns of what earlier lineages left.
 */
export async function findWritten(dir: string, context: SinkContext): Promise<Map<number, string>> {
  const mine = shortLineage(context.lineageId);
  const earlier = await earlierLineages(dir, context.jobName, mine);
  const written = new Map<number, string>();
  let left = 0;
  for (const name of await readdir(dir)) {
    const file = parseBatchFileName(name);
    if (file?.lineage === mine) written.set(file.batchId, file.planHash);
    else if (file !== undefined && earlier.has(file.lineage)) left++;
  }
  if (left > 0) {
    context.warn(`${dir} has ${left} files of an earlier checkpoint of "${context.jobName}": their rows stay there`);
  }
  return written;
}

/** Reads which lineages this job wrote here before, and adds this one. */
async function earlierLineages(dir: string, jobName: string, mine: string): Promise<Set<string>> {
  const path = join(dir, `_lineages-${jobName}`);
  const lineages = new Set((await readIfThere(path)).split("\n"));
  lineages.delete("");
  if (!lineages.delete(mine)) await appendFile(path, `${mine}\n`, { mode: 0o644 });
  return lineages;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}

async function syncFolder(dir: string): Promise<void> {
  await using handle = await open(dir, "r");
  await handle.sync();
}
