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
const PIECES = 4;

const above = mkdtempSync(join(tmpdir(), "tidemark-kill-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

it(`has each of ${LINES} lines exactly once and in order after ${KILLS} kills at random moments`, async () => {
  const { seed, random } = seedOf("kill");
  const perPartition = LINES / PARTITIONS;
  const perPiece = Math.floor(perPartition / (KILLS + 1) / PIECES);
  const endingOffsets = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, p) => [p, perPartition]));
  const folder = new JobFolder(above, { endingOffsets, options: { maxOffsetsPerBatch: 5_000 } });
  const plans = new Plans();
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      folder.append(perPiece);
      await using job = new JobProcess(folder.jobFile);
      const growing = grow(folder, perPiece, () => random() * 60);
      await untilRandomMoment(job, random);
      await job.kill();
      await growing;
      expect([...plans.add(job.stderr), ...folder.problemsSoFar()], `after kill ${kill}`).toEqual([]);
    }
    folder.append(perPartition - KILLS * PIECES * perPiece);
    await using job = new JobProcess(folder.jobFile);
    expect(await job.ended(), job.stderr).toEqual({ code: 0, signal: null });
    expect([...plans.add(job.stderr), ...folder.problems()]).toEqual([]);
    // Else the kills came at moments at which nothing can go wrong.
    expect(plans.batchesThatRanAgain).toBeGreaterThanOrEqual(3);
  } catch (error) {
    throw new Error(`TEST_SEED=${seed} npx vitest run test/crash/kill.test.ts`, { cause: error });
  }
}, 90_000);

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
