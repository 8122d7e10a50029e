// The promise of the whole: kill it at any moment, start it again, and the output is as if nothing had happened.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { JobFolder, PARTITIONS } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { Plans } from "./plans.ts";

const LINES = 200_001;
const KILLS = 20;
/** On two threads a process takes longer to get so far that there is something to kill. */
const ON_THREADS = { lines: 60_000, kills: 5 };
const PIECES = 4;

const above = mkdtempSync(join(tmpdir(), "tidemark-kill-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

it(`has each of ${LINES} lines exactly once and in order after ${KILLS} kills at random moments`, async () => {
  await killAgainAndAgain({ lines: LINES, kills: KILLS, args: [] });
}, 90_000);

it(`has each of ${ON_THREADS.lines} lines likewise when its tasks run on two threads`, async () => {
  await killAgainAndAgain({ ...ON_THREADS, args: ["--threads", "2"] });
}, 90_000);

interface HowToKill {
  readonly lines: number;
  readonly kills: number;
  readonly args: readonly string[];
}

async function killAgainAndAgain({ lines, kills, args }: HowToKill): Promise<void> {
  const { seed, random } = seedOf("kill");
  const perPartition = lines / PARTITIONS;
  const perPiece = Math.floor(perPartition / (kills + 1) / PIECES);
  const endingOffsets = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, p) => [p, perPartition]));
  const dir = mkdtempSync(join(above, "job-"));
  const folder = new JobFolder(dir, { endingOffsets, options: { maxOffsetsPerBatch: 5_000 } });
  const plans = new Plans();
  try {
    for (let kill = 0; kill < kills; kill++) {
      folder.append(perPiece);
      await using job = new JobProcess(folder.jobFile, { args });
      const growing = grow(folder, perPiece, () => random() * 60);
      await untilRandomMoment(job, random);
      await job.kill();
      await growing;
      expect([...plans.add(job.stderr), ...folder.problemsSoFar()], `after kill ${kill}`).toEqual([]);
    }
    folder.append(perPartition - kills * PIECES * perPiece);
    await using job = new JobProcess(folder.jobFile, { args });
    expect(await job.ended(), job.stderr).toEqual({ code: 0, signal: null });
    expect([...plans.add(job.stderr), ...folder.problems()]).toEqual([]);
    // Else the kills came at moments at which nothing can go wrong, as a few may by chance.
    expect(plans.batchesThatRanAgain).toBeGreaterThanOrEqual(Math.floor(kills / 6));
  } catch (error) {
    throw new Error(`TEST_SEED=${seed} npx vitest run test/crash/kill.test.ts`, { cause: error });
  }
}

/** The input grows while the job runs, the last line of each piece in two writes. */
async function grow(folder: JobFolder, lines: number, pauseMs: () => number): Promise<void> {
  for (let piece = 1; piece < PIECES; piece++) {
    await delay(pauseMs());
    folder.append(lines, { torn: true });
  }
}

/** Some moment while it starts, or soon after it has begun a task, is about to commit, or has committed. */
async function untilRandomMoment(job: JobProcess, random: () => number): Promise<void> {
  const moment = [undefined, /@task/, /@task/, /@commit /, /@committed/][numberBelow(random, 5)];
  if (moment === undefined) return delay(random() * 600);
  await job.says(moment);
  await delay(random() * 30);
}
