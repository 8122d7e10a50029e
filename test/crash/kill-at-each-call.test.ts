// Random moments miss the narrow ones. Here a job is killed on the threshold of each single call that changes the disk,
// one after the other, and started again with more input than before, so that a plan made anew would be another one.
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { Plans } from "./plans.ts";
import { needStrace, strace } from "./tracing.ts";

const TO_THE_END = ["--trigger", "available-now"];
/** One thread makes all file system calls, so that the nth is the same one each time. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: "1" };
const MOST_CALLS = 100;
const LINES = 100;

const above = realpathSync(mkdtempSync(join(tmpdir(), "tidemark-kill-at-each-call-")));
afterAll(() => rmSync(above, { recursive: true, force: true }));

for (const { call, least } of [
  { call: "fsync", least: 10 },
  { call: "rename", least: 4 },
  { call: "link", least: 3 },
  { call: "unlink", least: 3 },
  { call: "mkdir", least: 3 },
  { call: "rmdir", least: 1 },
]) {
  it(`goes on exactly when it is killed at any one ${call}`, async (context) => {
    needStrace(context);
    let kills = 0;
    while (kills < MOST_CALLS && (await isKilledAt(call, kills + 1))) kills++;
    expect(kills).toBeGreaterThanOrEqual(least);
    expect(kills).toBeLessThan(MOST_CALLS);
  }, 120_000);
}

/** Plays one kill. @returns false when the job makes less than `nth` such calls */
async function isKilledAt(call: string, nth: number): Promise<boolean> {
  const folder = new JobFolder(join(above, `${call}-${nth}`));
  const plans = new Plans();
  folder.append(LINES);
  const under = strace("/dev/null", call, `${call}:signal=KILL:when=${nth}`);
  await using killed = new JobProcess(folder.jobFile, { under, env: ONE_THREAD, args: TO_THE_END });
  const { signal } = await killed.ended();
  const why = `${call} ${nth}`;
  expect([...plans.add(killed.stderr), ...folder.problemsSoFar()], why).toEqual([]);
  folder.append(LINES);
  await using next = new JobProcess(folder.jobFile, { args: TO_THE_END });
  expect((await next.ended()).code, `${why}: ${next.stderr}`).toBe(0);
  expect([...plans.add(next.stderr), ...folder.problems()], why).toEqual([]);
  expect(existsSync(join(folder.dir, "checkpoint", "copied"))).toBe(true);
  return signal === "SIGKILL";
}
