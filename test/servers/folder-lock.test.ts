// The lock that keeps several terminals and tests from changing the same server at once.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockFolder } from "./folder-lock.ts";

const module = new URL("folder-lock.ts", import.meta.url).href;
const { signal } = new AbortController();
const say = () => undefined;
let root: string;
let holding: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lock-"));
});

afterEach(async () => {
  for (const child of holding) child.kill("SIGKILL");
  holding = [];
  await rm(root, { recursive: true });
});

/** A process that takes the lock, says so, and holds it until it is killed. */
async function holder(path: string) {
  const code = `
    import { lockFolder } from ${JSON.stringify(module)};
    const lock = await lockFolder(${JSON.stringify(path)}, () => {}, new AbortController().signal);
    process.stdout.write("held");
    setInterval(() => lock, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  holding.push(child);
  await once(child.stdout, "data");
  return child;
}

/** Four want the lock at once, and hold it long enough to meet. How many held it, as each of them saw it. */
async function holdersSeen(path: string): Promise<number[]> {
  let holders = 0;
  const seen = Array.from({ length: 4 }, async () => {
    await using _lock = await lockFolder(path, say, signal);
    holders += 1;
    await sleep(120); // longer than it takes to ask again
    return holders--;
  });
  return await Promise.all(seen);
}

test("of many who want the lock, one holds it at a time", async () => {
  const path = join(root, "thing");
  expect(await holdersSeen(path)).toEqual([1, 1, 1, 1]);
  expect(await readdir(root)).toEqual([]);
});

test("whoever waits for a living holder says for whom, and gives up when told to", async () => {
  const path = join(root, "thing");
  const child = await holder(path);
  const said: string[] = [];
  await expect(lockFolder(path, (line) => said.push(line), AbortSignal.timeout(500))).rejects.toThrow();
  expect(said).toEqual([expect.stringContaining(`process ${child.pid}`)]);
  child.kill("SIGKILL");
  await once(child, "close");
});

test("the lock of a holder that was killed is taken by one only", async () => {
  const path = join(root, "thing");
  for (let round = 0; round < 2; round++) {
    const child = await holder(path);
    child.kill("SIGKILL");
    await once(child, "close");
  }
  expect(await holdersSeen(path)).toEqual([1, 1, 1, 1]);
});
