// Vitest's global setup: tells tests where the servers of this run are to live, and ends them when the run is over. It
// starts none: the first test that asks for one does (for-tests.ts), so runs that need no server pay nothing.
import type { TestProject } from "vitest/node";
import { serversRoot } from "./repository.ts";
import { killRun, removeAbandonedRuns, removeRun, runFolder } from "./run-folder.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of this run's servers. */
    serversOfRun: string;
  }
}

const endWithinMs = 60_000;
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Ctrl-C: servers have process groups of their own, so they do not hear of it, and vitest calls no teardown. */
function endAtOnce(signal: NodeJS.Signals): void {
  killRun(runFolder(serversRoot));
  for (const ending of endings) process.off(ending, endAtOnce);
  process.kill(process.pid, signal);
}

/** Called by vitest before the first test file. */
export async function setup(project: TestProject): Promise<void> {
  await removeAbandonedRuns(serversRoot, AbortSignal.timeout(endWithinMs));
  for (const ending of endings) process.on(ending, endAtOnce);
  project.provide("serversOfRun", runFolder(serversRoot));
}

/** Called by vitest after the last one. */
export async function teardown(): Promise<void> {
  for (const ending of endings) process.off(ending, endAtOnce);
  await removeRun(runFolder(serversRoot), AbortSignal.timeout(endWithinMs));
}
