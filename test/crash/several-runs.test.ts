// Several runs of one job at once, each started to take over, and frozen, woken and killed at random while the input
// grows: the output is right at every moment, no plan changes, and nobody fails for another reason than being
// overtaken.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { Plans } from "./plans.ts";

const ROUNDS = 4;
const STEPS = 15;
const MOST_RUNS = 4;
const START_MS = 400;
const STEP_MS = 150;
const SETTLED_WITHIN_MS = 20_000;
/** Done, stopped by a signal, or fenced. */
const GOOD_CODES = [0, 143, 3];
const LAST_WORDS = /another run of ".*" has taken over|: done: |: stopped/;

const above = mkdtempSync(join(tmpdir(), "tidemark-several-runs-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

it("has every line once and in order whatever happens to several runs of a job", async () => {
  const { seed, random } = seedOf("several-runs");
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const folder = new JobFolder(join(above, `${round}`), { options: { maxOffsetsPerBatch: 500 } });
      await playRound(folder, random);
    }
  } catch (error) {
    throw new Error(`TEST_SEED=${seed} npx vitest run test/crash/several-runs.test.ts`, { cause: error });
  }
}, 120_000);

async function playRound(folder: JobFolder, random: () => number): Promise<void> {
  await using runs = new Runs(folder);
  for (let step = 0; step < STEPS; step++) {
    folder.append(1 + numberBelow(random, 200), { torn: random() < 0.5 });
    await runs.act(random);
    await delay(random() * STEP_MS);
    expect(folder.problemsSoFar()).toEqual([]);
  }
  await runs.settle();
  expect(folder.problems()).toEqual([]);
}

/** The runs of one job. */
class Runs implements AsyncDisposable {
  readonly #folder: JobFolder;
  readonly #all: JobProcess[] = [];

  constructor(folder: JobFolder) {
    this.#folder = folder;
  }

  /** Starts a run, or does something to one that is there. */
  async act(random: () => number): Promise<void> {
    const live = this.#all.filter((run) => !run.hasEnded);
    const chosen = live[numberBelow(random, live.length)];
    const signal = (["SIGSTOP", "SIGCONT", "SIGCONT", "SIGKILL", undefined] as const)[numberBelow(random, 5)];
    if (chosen !== undefined && live.length > 1 && (signal !== undefined || live.length === MOST_RUNS)) {
      chosen.send(signal ?? "SIGKILL");
      return;
    }
    this.#all.push(new JobProcess(this.#folder.jobFile, { args: ["--take-over"] }));
    if (random() < 0.5) await delay(START_MS);
  }

  /** Wakes all up, starts one more, and lets them get to the end of the input; then all must end well. */
  async settle(): Promise<void> {
    for (const run of this.#all) run.send("SIGCONT");
    this.#all.push(new JobProcess(this.#folder.jobFile, { args: ["--take-over"] }));
    await expect.poll(() => this.#folder.problems(), { timeout: SETTLED_WITHIN_MS, interval: 50 }).toEqual([]);
    // Before that a signal would simply end it; one that ends by itself is asked about below.
    for (const run of this.#all) if (!run.hasEnded) await run.says(/epoch \d+/).catch(() => undefined);
    const before = this.#folder.outputFiles();
    for (const run of this.#all) run.send("SIGTERM");
    const plans = new Plans();
    for (const run of this.#all) {
      const { code, signal } = await run.ended();
      // One that has said its last word takes a signal no more: that ends it as it would have ended.
      if (signal === "SIGTERM") expect(run.stderr).toMatch(LAST_WORDS);
      else if (signal !== "SIGKILL") expect(GOOD_CODES, run.stderr).toContain(code);
      expect(plans.add(run.stderr)).toEqual([]);
    }
    expect(this.#folder.outputFiles()).toEqual(before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((run) => run[Symbol.asyncDispose]()));
  }
}
