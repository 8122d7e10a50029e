// The folder of the servers that one run of the tests has started: its name says which process the run is, so that
// what a run left behind that was killed can be told from what another run is using.
import { existsSync, readdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { allServers } from "./all-servers.ts";
import { removeServer } from "./control.ts";
import { identify, killTree } from "./processes.ts";
import { readState } from "./server-state.ts";

const pattern = /^run-(\d+)-/;

function nameOfRun(pid: number): string {
  return `run-${pid}-${(identify(pid)?.startedAt ?? "").replaceAll(/[^A-Za-z0-9]/g, "-")}`;
}

/** Where this process, as the one that runs the tests, keeps its servers. Nothing is made. */
export function runFolder(root: string): string {
  return join(root, nameOfRun(process.pid));
}

/**
 * Kills all servers of a run, at once and without waiting, for a process that is being ended itself. The folder stays,
 * for removeAbandonedRuns.
 */
export function killRun(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    for (const process of readState(join(folder, name))?.processes ?? []) killTree(process);
  }
}

/** Kills all servers of a run and removes their data. Idempotent. */
export async function removeRun(folder: string, signal: AbortSignal): Promise<void> {
  for (const name of await namesIn(folder)) {
    const kind = allServers.find((known) => name === known.name || name.startsWith(`${known.name}-`));
    if (kind && !name.includes(".lock")) {
      await removeServer({ kind, root: folder, folder: join(folder, name), say: () => undefined }, signal);
    }
  }
  await rm(folder, { recursive: true, force: true });
}

/** Removes what runs have left behind that have ended without doing it. */
export async function removeAbandonedRuns(root: string, signal: AbortSignal): Promise<void> {
  for (const name of await namesIn(root)) {
    const [, pid] = pattern.exec(name) ?? [];
    if (pid !== undefined && name !== nameOfRun(Number(pid))) await removeRun(join(root, name), signal);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
