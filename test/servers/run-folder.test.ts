// A run of the tests that is killed leaves its servers running: the next one must find them and end them, and leave
// alone those of runs that live.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { statusOf } from "./control.ts";
import { isAlive } from "./processes.ts";
import { killRun, removeAbandonedRuns } from "./run-folder.ts";
import { waitUntil } from "./wait-until.ts";

const here = new URL(".", import.meta.url).href;
const { signal } = new AbortController();
const runs: ChildProcess[] = [];
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "runs-"));
});

afterAll(async () => {
  for (const run of runs) run.kill("SIGKILL");
  await waitUntil(() => runs.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null), {
    what: "The runs are gone",
    withinMs: 10_000,
    signal,
  });
  await removeAbandonedRuns(root, signal);
  await rm(root, { recursive: true });
});

/** A process that starts a Postgres as a run of the tests does, says in which folder, and stays. */
async function startRun(): Promise<{ run: ChildProcess; folder: string }> {
  const code = `
    import { join } from "node:path";
    import { startServer } from "${here}control.ts";
    import { postgres } from "${here}postgres/server.ts";
    import { runFolder } from "${here}run-folder.ts";
    const root = ${JSON.stringify(root)};
    const home = { kind: postgres, root, folder: join(runFolder(root), "postgres"), say: () => {} };
    await startServer(home, { signal: new AbortController().signal });
    process.stdout.write(runFolder(root));
    setInterval(() => {}, 1000);`;
  const run = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  runs.push(run);
  const [folder] = (await once(run.stdout, "data")) as [Buffer];
  return { run, folder: folder.toString() };
}

test("the servers of a killed run are ended by the next, those of a living run are not", async () => {
  const { run, folder } = await startRun();
  const { state } = statusOf(join(folder, "postgres"));
  await removeAbandonedRuns(root, signal);
  expect(statusOf(join(folder, "postgres")).status).toBe("running");
  run.kill("SIGKILL");
  await once(run, "close");
  await removeAbandonedRuns(root, signal);
  expect(state?.processes.map(isAlive)).toEqual([false]);
  expect(existsSync(folder)).toBe(false);
});

test("a run that is being ended itself kills its servers without waiting", async () => {
  const { run, folder } = await startRun();
  killRun(folder);
  const isGone = () => statusOf(join(folder, "postgres")).status === "died";
  await waitUntil(isGone, { what: "Postgres is gone", withinMs: 10_000, signal });
  run.kill("SIGKILL");
  await once(run, "close");
  await removeAbandonedRuns(root, signal);
  expect(existsSync(folder)).toBe(false);
});
