// What can go wrong with a job between Kafka and Postgres, played with real processes. Each scenario says what it
// found, as sentences: nothing for a runtime that keeps its promises, and something for one that was broken on
// purpose.
import { setTimeout as delay } from "node:timers/promises";
import type { Hold } from "./job-folder.ts";
import type { JobProcess, StartOptions } from "./job-process.ts";
import type { StagedJob } from "./kafka-stage.ts";

const COMES_WITHIN_MS = 60_000;
const WAKES_WITHIN_MS = 30_000;

export type ScenarioOptions = Pick<StartOptions, "root">;

/** Kills the job when it has come to this point in its first batch, and lets it run to the end then. */
export async function killedAt(at: Hold, job: StagedJob, options: ScenarioOptions = {}): Promise<string[]> {
  job.hold(at);
  await using killed = job.start(options);
  await killed.says(new RegExp(`^@${at} 0`, "m"), COMES_WITHIN_MS);
  await killed.kill();
  job.release(at);
  return [...(await runToTheEnd(job, options)), ...(await job.problems())];
}

/**
 * Freezes a run at this point of its first batch, lets another take over and run to the end, and wakes the first up: it
 * must exit with 3 and write nothing more.
 */
export async function overtaken(at: Hold, job: StagedJob, options: ScenarioOptions = {}): Promise<string[]> {
  job.hold(at);
  await using zombie = job.start(options);
  await zombie.says(new RegExp(`^@${at} 0`, "m"), COMES_WITHIN_MS);
  zombie.send("SIGSTOP");
  job.release(at);
  const found = await runToTheEnd(job, { ...options, args: ["--take-over"] });
  if (found.length > 0) return found;
  zombie.send("SIGCONT");
  return [...(await endedFenced(zombie, job.name)), ...(await job.problems())];
}

/** One start, which ends by itself. */
async function runToTheEnd(job: StagedJob, options: StartOptions): Promise<string[]> {
  await using last = job.start(options);
  const { code, signal } = await last.ended();
  return code === 0 ? [] : [`it failed (${code ?? signal}): ${last.stderr}`];
}

async function endedFenced(zombie: JobProcess, name: string): Promise<string[]> {
  const deadline = delay(WAKES_WITHIN_MS, "late" as const, { ref: false });
  const ended = await Promise.race([zombie.ended(), deadline]);
  if (ended === "late") return [`it goes on after it was overtaken: ${zombie.stderr}`];
  if (ended.code !== 3) return [`it ended with ${ended.code}, not 3: ${zombie.stderr}`];
  const saysWhy = zombie.stderr.includes(`another run of "${name}" has taken over`);
  return saysWhy ? [] : [`it says only: ${zombie.stderr}`];
}
