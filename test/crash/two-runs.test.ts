// Two runs of one job: the second waits while the first seems alive, or takes over, and then nothing of the first
// becomes visible any more, at whatever moment it was frozen.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { overtaken, wokenUp } from "./scenarios.ts";

const FENCED = { code: 3, signal: null };
const STOPPED = { code: 143, signal: null };
/** A heartbeat is stale after ten seconds, of which two may have passed already. */
const AT_ONCE_MS = 7_000;
const NOT_AT_ONCE_MS = 3_000;
const TAKE_OVER = { args: ["--take-over"] };

const above = mkdtempSync(join(tmpdir(), "tidemark-two-runs-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

function folderWith(lines: number, name: string): JobFolder {
  const folder = new JobFolder(join(above, name), { options: { maxOffsetsPerBatch: 300 } });
  folder.append(lines);
  return folder;
}

it("waits while another run is alive and says so, and goes on at once when that one was killed", async () => {
  const folder = folderWith(1_000, "killed");
  folder.hold("commit");
  await using first = new JobProcess(folder.jobFile);
  await first.says(/@commit 0/);
  await using second = new JobProcess(folder.jobFile);
  await second.says(/runs this job: waiting until it stops or shows no sign of life for 10 s/);
  expect(second.stderr).toMatch(/--take-over/);
  const beganMs = performance.now();
  await first.kill();
  folder.release("commit");
  await second.says(/@committed 9/);
  expect(performance.now() - beganMs).toBeLessThan(AT_ONCE_MS);
  expect(second.stderr).toMatch(/batch 0 was not completed: it runs again over the same ranges/);
  second.send("SIGTERM");
  expect(await second.ended()).toEqual(STOPPED);
  expect(folder.problems()).toEqual([]);
});

it("goes on at once when the other run has stopped in good order", async () => {
  const folder = folderWith(1_000, "stopped");
  await using first = new JobProcess(folder.jobFile);
  await first.says(/@committed 1/);
  await using second = new JobProcess(folder.jobFile);
  await second.says(/runs this job: waiting/);
  expect(second.stderr).not.toMatch(/@task/);
  const beganMs = performance.now();
  first.send("SIGTERM");
  expect(await first.ended()).toEqual(STOPPED);
  folder.append(100);
  await second.says(/goes on where it stood/);
  await second.says(/@committed/);
  expect(performance.now() - beganMs).toBeLessThan(AT_ONCE_MS);
  second.send("SIGTERM");
  expect(await second.ended()).toEqual(STOPPED);
  expect(folder.problemsSoFar()).toEqual([]);
});

it("goes on when the other run's heartbeat has gone stale, and that one is fenced when it wakes up", async () => {
  const folder = folderWith(1_000, "stale");
  folder.hold("commit");
  await using first = new JobProcess(folder.jobFile);
  await first.says(/@commit 0/);
  first.send("SIGSTOP");
  folder.release("commit");
  await using second = new JobProcess(folder.jobFile);
  await second.says(/runs this job: waiting/);
  const beganMs = performance.now();
  await second.says(/@committed 9/);
  expect(performance.now() - beganMs).toBeGreaterThan(NOT_AT_ONCE_MS);
  expect(await wokenUp(first, folder)).toEqual([]);
  second.send("SIGTERM");
  expect(await second.ended()).toEqual(STOPPED);
  expect(folder.problems()).toEqual([]);
}, 60_000);

it("is fenced while it runs when another run takes over", async () => {
  const folder = folderWith(1_000, "taken-over");
  await using first = new JobProcess(folder.jobFile);
  await first.says(/@committed 2/);
  await using second = new JobProcess(folder.jobFile, TAKE_OVER);
  await second.says(/goes on where it stood/);
  folder.append(500);
  expect(await first.ended(), first.stderr).toEqual(FENCED);
  expect(first.stderr).toMatch(/another run of "copied" has taken over/);
  await second.says(/@committed 14/);
  second.send("SIGTERM");
  expect(await second.ended()).toEqual(STOPPED);
  expect(folder.problems()).toEqual([]);
});

for (const moment of ["task", "commit", "committed"] as const) {
  it(`writes nothing more and exits 3 when it was frozen at "${moment}" and has been overtaken`, async () => {
    expect(await overtaken(moment, new JobFolder(join(above, moment)))).toEqual([]);
  });
}
