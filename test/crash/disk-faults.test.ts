// A disk that fails once, at each single call that makes something durable, and a disk that is full: the job goes on or
// fails with words, never with a wrong output, and a restart ends exactly.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { needStrace, strace, tracedCalls } from "./tracing.ts";

const TO_THE_END = ["--trigger", "available-now"];
/** One thread makes all file system calls, so that the nth is the same one each time. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: "1" };
/** More calls of one kind than a job of one batch makes. */
const MOST_CALLS = 60;

const above = realpathSync(mkdtempSync(join(tmpdir(), "tidemark-disk-faults-")));
afterAll(() => rmSync(above, { recursive: true, force: true }));

for (const { call, error, mustHit } of [
  { call: "fsync", error: "EIO", mustHit: [/\/\.tmp-\w+>/, /\/log-\w+>/, /\/_staging-.*\.ndjson>/, /\/out>/] },
  { call: "rename", error: "EIO", mustHit: [/\/copied"/, /\/heartbeat\.json"/, /\/out\/0\d+-\S+\.ndjson"/] },
  { call: "link", error: "EIO", mustHit: [/\/0{16}\.entry"/, /\/0{15}1\.entry"/, /\/0{15}2\.entry"/] },
  { call: "link", error: "ENOSPC", mustHit: [/\/0{16}\.entry"/, /\/0{15}1\.entry"/, /\/0{15}2\.entry"/] },
]) {
  it(`goes on exactly when any one ${call} fails with ${error}`, async (context) => {
    needStrace(context);
    const hit: string[] = [];
    for (let nth = 1; nth <= MOST_CALLS; nth++) {
      const folder = new JobFolder(join(above, `${call}-${error}-${nth}`));
      folder.append(100);
      const failed = await runWithFault(folder, call, `${call}:error=${error}:when=${nth}`);
      if (failed === undefined) break;
      hit.push(failed);
    }
    for (const what of mustHit) expect(hit.join("\n")).toMatch(what);
  }, 120_000);
}

it("says that the disk of the output is full, and goes on exactly when there is space again", async (context) => {
  const folder = new JobFolder(join(above, "full"), { options: { maxOffsetsPerBatch: 3_000 } });
  const out = join(folder.dir, "out");
  mkdirSync(out);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", out], { stdio: "pipe" });
  } catch (error) {
    context.skip(`a small tmpfs cannot be mounted here (needs root): ${String(error).split("\n")[1]}`);
  }
  try {
    folder.append(10_000);
    await using job = new JobProcess(folder.jobFile, { args: TO_THE_END });
    await job.says(/no space left.*trying again.*\n(.*\n)*.*no space left.*trying again/i);
    expect(folder.problemsSoFar()).toEqual([]);
    await job.kill();
    await using next = new JobProcess(folder.jobFile, { args: TO_THE_END });
    await next.says(/no space left.*trying again/i);
    execFileSync("mount", ["-o", "remount,size=16m", out], { stdio: "pipe" });
    expect((await next.ended()).code, next.stderr).toBe(0);
    expect(folder.problems()).toEqual([]);
  } finally {
    execFileSync("umount", ["-l", out]);
  }
}, 60_000);

/** Runs a job with one failing call. @returns the call that failed; undefined when there was no such one any more */
async function runWithFault(folder: JobFolder, call: string, inject: string): Promise<string | undefined> {
  const output = join(folder.dir, "trace");
  const under = strace(output, call, inject);
  await using job = new JobProcess(folder.jobFile, { under, env: ONE_THREAD, args: TO_THE_END });
  expect((await job.ended()).code, `${inject}\n${job.stderr}`).toBe(0);
  expect(folder.problems(), inject).toEqual([]);
  const failed = tracedCalls(output).find(({ args }) => args.includes("(INJECTED)"))?.args;
  // What concerns the output is never passed over in silence.
  if (failed?.includes(join(folder.dir, "out"))) expect(job.stderr, inject).toMatch(/trying again/);
  await using next = new JobProcess(folder.jobFile, { args: TO_THE_END });
  expect((await next.ended()).code, next.stderr).toBe(0);
  expect(next.stderr).not.toMatch(/@task/);
  expect(folder.problems(), inject).toEqual([]);
  return failed;
}
