// Thousands of schedules of the real scheduler in simulated worlds. A schedule that fails names its seed; with it,
//   TIDEMARK_SEED=123 npx vitest run test/simulation/schedules.test.ts
// runs that one alone and tells its whole story.
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import * as runtime from "../../runtime/index.ts";
import { FAULT_KINDS, oneFault } from "./faults.ts";
import { runSchedule } from "./schedule.ts";
import { PLAIN_SETTINGS } from "./simulated-job.ts";
import { TABLE_KINDS } from "./simulated-sink.ts";
import { countRequests, runWithFault } from "./single-fault.ts";
import type { SimulatedWorld } from "./world.ts";

const SCHEDULES_PER_TEST = 500;
const TIMEOUT_MS = 120_000;
const givenSeed = process.env["TIDEMARK_SEED"];

async function expectGood(seed: number): Promise<void> {
  const world = await runSchedule({ seed, runtime });
  if (world.violations.length === 0) return;
  const { trace = [] } = await runSchedule({ seed, runtime, keepsTrace: true });
  const command = `TIDEMARK_SEED=${seed} npx vitest run test/simulation/schedules.test.ts`;
  expect.fail(
    `seed ${seed}: ${world.violations.join("; ")}\nrun it again with: ${command}\n${trace.slice(-40).join("\n")}`,
  );
}

/** The story without what is random on purpose: tokens, lineages, runs and hashes. */
function storyOf({ trace = [] }: SimulatedWorld): string {
  return trace.join("\n").replace(/[0-9a-f]{16,32}/g, "…");
}

if (givenSeed !== undefined) {
  test(`the schedule of seed ${givenSeed}`, async () => {
    const world = await runSchedule({ seed: Number(givenSeed), runtime, keepsTrace: true });
    process.stdout.write(`${world.trace?.join("\n")}\n`);
    expect(world.violations).toEqual([]);
  });
}

test.skipIf(givenSeed !== undefined)("the same seed gives the same story", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const [first, second] = [
      await runSchedule({ seed, runtime, keepsTrace: true }),
      await runSchedule({ seed, runtime, keepsTrace: true }),
    ];
    expect(storyOf(second)).toBe(storyOf(first));
  }
});

const freshSeed = randomInt(2 ** 31);
const firstSeeds = [0, 1, 2, 3].map((part) => part * SCHEDULES_PER_TEST);
for (const firstSeed of [...firstSeeds, freshSeed]) {
  const what = firstSeed === freshSeed ? "seeds that were never tried" : "seeds";
  test.skipIf(givenSeed !== undefined)(
    `whatever goes wrong, every record is out once and in order: ${SCHEDULES_PER_TEST} ${what} from ${firstSeed}`,
    async () => {
      for (let seed = firstSeed; seed < firstSeed + SCHEDULES_PER_TEST; seed++) await expectGood(seed);
    },
    TIMEOUT_MS,
  );
}

const runs = [
  ...TABLE_KINDS.map((tableKind) => ({ tableKind, commit: "batch", resumes: tableKind === "last-opener" }) as const),
  { tableKind: "epoch", commit: { autoCommitIntervalMs: 200 }, resumes: false },
  { tableKind: "unique", commit: "manual", resumes: false },
] as const;
for (const { tableKind, commit, resumes } of runs) {
  const how = `with a sink of the kind "${tableKind}" and commit: ${JSON.stringify(commit)}`;
  test.skipIf(givenSeed !== undefined)(
    `a ${resumes ? "resuming " : ""}run survives every fault at every request, ${how}`,
    async () => {
      const settings = { ...PLAIN_SETTINGS, sendsDeadLetters: true, commit };
      const prepare = (world: SimulatedWorld) => {
        world.commitsEachBatch = true;
      };
      const input = { runtime, tableKind, resumes, settings, prepare };
      const requests = await countRequests(input);
      expect(requests).toBeGreaterThan(50);
      for (const kind of FAULT_KINDS) {
        for (let index = 0; index < requests; index++) {
          const world = await runWithFault({ ...input, faults: oneFault(kind, index) });
          expect(world.violations, `${kind} at request ${index}`).toEqual([]);
        }
      }
    },
    TIMEOUT_MS,
  );
}

test.skipIf(givenSeed !== undefined)("a lost reply of an append that landed costs no new term", async () => {
  const input = { runtime, tableKind: "epoch", settings: PLAIN_SETTINGS } as const;
  const requests = await countRequests(input);
  let appends = 0;
  for (let index = 0; index < requests; index++) {
    let isAppend = false;
    let count = 0;
    const faults = (name: string) => {
      if (count++ !== index || name !== "store.append") return "none";
      isAppend = true;
      return "lost-landed";
    };
    const world = await runWithFault({ ...input, faults });
    expect(world.violations).toEqual([]);
    // The first run's one term, and one each of the two runs after it.
    if (isAppend) expect(world.ledger.begins).toBe(3);
    if (isAppend) appends++;
  }
  expect(appends).toBeGreaterThan(3);
});
