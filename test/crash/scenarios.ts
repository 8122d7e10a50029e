// What can go wrong with a job, played with real processes. Each scenario says what it found, as sentences: nothing for
// a runtime that keeps its promises, and something for one that was broken on purpose.
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Hold, JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { Plans } from "./plans.ts";

const LINES = 300;
const CAUGHT_UP_WITHIN_MS = 8_000;

export interface ScenarioOptions {
  /** The source tree whose command runs; default: this one. */
  readonly root?: string;
  /** More arguments after `start job.ts`, such as another checkpoint. */
  readonly args?: readonly string[];
}

/**
 * Kills the job again and again when it has come to one point, lets the input grow before each restart, so that a plan
 * made anew would be another one, and lets it run to the end at last.
 */
export async function killedAt(at: Hold, folder: JobFolder, options: ScenarioOptions = {}): Promise<string[]> {
  const plans = new Plans();
  const found: string[] = [];
  for (let kill = 0; kill < 3; kill++) {
    folder.append(LINES);
    folder.hold(at);
    await using job = new JobProcess(folder.jobFile, options);
    const come = await comesTo(new RegExp(`^@${at} `, "m"), job);
    await job.kill();
    folder.release(at);
    found.push(...come);
    found.push(...plans.add(job.stderr), ...folder.problemsSoFar());
  }
  folder.append(LINES);
  const last = await runToTheEnd(folder, options);
  return [...found, ...plans.add(last.stderr), ...last.found, ...folder.problems()];
}

/**
 * Freezes a run at one point, lets another take over and complete several batches, and wakes the first up: it must exit
 * with 3 and write nothing more.
 */
export async function overtaken(at: Hold, folder: JobFolder, options: ScenarioOptions = {}): Promise<string[]> {
  folder.append(LINES);
  folder.hold(at);
  await using zombie = new JobProcess(folder.jobFile, options);
  await zombie.says(new RegExp(`^@${at} 0`, "m"));
  zombie.send("SIGSTOP");
  folder.release(at);
  await using second = new JobProcess(folder.jobFile, withArgs(options, "--take-over"));
  for (let more = 0; more < 3; more++) {
    if (!(await hasCaughtUp(folder))) return [`the second run does not get on: ${second.stderr}`];
    folder.append(LINES);
  }
  const found = await wokenUp(zombie, folder);
  if (found.length > 0) return found;
  // The one that took over is still the writer.
  folder.append(LINES);
  if (!(await hasCaughtUp(folder))) found.push(`the second run does not go on: ${second.stderr}`);
  second.send("SIGTERM");
  const ended = await second.ended();
  if (ended.code !== 143) found.push(`the second run ended with ${ended.code}: ${second.stderr}`);
  return [...found, ...folder.problems()];
}

/** Wakes up a frozen run that was overtaken. The other run must have nothing more to do. */
export async function wokenUp(zombie: JobProcess, folder: JobFolder): Promise<string[]> {
  if (!(await hasCaughtUp(folder))) return folder.problems();
  const before = folder.outputFiles();
  zombie.send("SIGCONT");
  const hasWritten = () => folder.outputFiles().join("\n") !== before.join("\n");
  const isOver = await within(CAUGHT_UP_WITHIN_MS, () => zombie.hasEnded || hasWritten());
  if (hasWritten()) {
    // What it goes on to write comes to light soon, unless it was stopped by then.
    await within(CAUGHT_UP_WITHIN_MS, () => zombie.hasEnded || folder.problems().length > 0);
    return ["it wrote to the output after it was overtaken", ...folder.problems()];
  }
  if (!isOver) return ["it goes on after it was overtaken"];
  const ended = await zombie.ended();
  if (ended.code !== 3) return [`it ended with ${ended.code}, not 3: ${zombie.stderr}`];
  return /another run of "copied" has taken over/.test(zombie.stderr) ? [] : [`it says only: ${zombie.stderr}`];
}

/** Puts an old copy of the checkpoint back: its batches are in the output, from other ranges. It must be refused. */
export async function oldCheckpointBack(folder: JobFolder, options: ScenarioOptions = {}): Promise<string[]> {
  const [checkpoint, backup] = [join(folder.dir, "checkpoint"), join(folder.dir, "backup")];
  folder.append(LINES);
  const first = await runToTheEnd(folder, options);
  cpSync(checkpoint, backup, { recursive: true });
  folder.append(LINES);
  const second = await runToTheEnd(folder, options);
  rmSync(checkpoint, { recursive: true });
  cpSync(backup, checkpoint, { recursive: true });
  folder.append(LINES);
  const found = [...first.found, ...second.found];
  const third = await runToTheEnd(folder, options);
  const isRefused = third.code === 1 && /already holds batch 1 of this checkpoint/.test(third.stderr);
  if (!isRefused) found.push(`an old checkpoint was accepted: exit code ${third.code}`, ...folder.problems());
  return found;
}

/** Starts anew without the checkpoint, beside the old output: a new lineage's batches are not the old one's. */
export async function checkpointGone(folder: JobFolder, options: ScenarioOptions = {}): Promise<string[]> {
  folder.append(LINES);
  const first = await runToTheEnd(folder, options);
  const before = folder.outputFiles();
  rmSync(join(folder.dir, "checkpoint"), { recursive: true });
  const second = await runToTheEnd(folder, options);
  const found = [...first.found, ...second.found];
  if (folder.outputFiles().length !== 2 * before.length) found.push("the new checkpoint's batches were not written");
  if (!/files of an earlier checkpoint/.test(second.stderr))
    found.push(`the old files are not told of: ${second.stderr}`);
  return found;
}

/** One start that ends by itself, with what is there now. */
async function runToTheEnd(folder: JobFolder, options: ScenarioOptions) {
  await using job = new JobProcess(folder.jobFile, withArgs(options, "--trigger", "available-now"));
  const { code, signal } = await job.ended();
  const found = code === 0 ? [] : [`it failed (${code ?? signal}): ${job.stderr}`];
  return { code, stderr: job.stderr, found };
}

function withArgs(options: ScenarioOptions, ...more: string[]): ScenarioOptions {
  return { ...options, args: [...(options.args ?? []), ...more] };
}

/** Waits until the job has come to a point. @returns what is wrong if it does not */
async function comesTo(point: RegExp, job: JobProcess): Promise<string[]> {
  try {
    await job.says(point, CAUGHT_UP_WITHIN_MS);
    return [];
  } catch (error) {
    return [String(error)];
  }
}

/** Whether the output becomes all that it should be. */
async function hasCaughtUp(folder: JobFolder): Promise<boolean> {
  return await within(CAUGHT_UP_WITHIN_MS, () => folder.problems().length === 0);
}

async function within(ms: number, isSo: () => boolean): Promise<boolean> {
  const deadlineMs = performance.now() + ms;
  while (!isSo()) {
    if (performance.now() > deadlineMs) return false;
    await delay(5);
  }
  return true;
}
