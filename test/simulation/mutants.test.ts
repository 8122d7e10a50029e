// The simulation looks where it matters: a runtime or a world that is broken on purpose does not get through the
// seeds that the whole one passes. Each mutant says how many seeds find it at most.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { CommitMode } from "../../runtime/contract/job.ts";
import * as wholeRuntime from "../../runtime/index.ts";
import { type Edit, makeMutant } from "../crash/mutant.ts";
import { faultAt, noFaults } from "./faults.ts";
import { Scene } from "./scene.ts";
import { runSchedule } from "./schedule.ts";
import { PLAIN_SETTINGS } from "./simulated-job.ts";
import { runWithFault } from "./single-fault.ts";
import type { Runtime, SimulatedWorld } from "./world.ts";

const MAX_SEEDS = 400;
const TIMEOUT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "tidemark-simulated-mutants-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Mutant {
  readonly edits?: readonly Edit[];
  readonly breakWorld?: (world: SimulatedWorld) => void;
  /** As in schedules; by default those of the seed. */
  readonly commitModes?: readonly [CommitMode, ...CommitMode[]];
  /** What is found, in one of the seeds. */
  readonly finds: RegExp;
}

const mutants: Record<string, Mutant> = {
  "records a batch as complete before the sink commits it": {
    edits: [
      {
        file: "runtime/engine/scheduler.ts",
        from: `    if (!isJoint) await prepared.commitRows();
  });
  if (early !== undefined) return await early;
  const rows = isJoint ? transaction : undefined;
  return await recordCompletion(term, memory, { plan, positions, prepared, rows, following }, stopSignal);`,
        to: `  });
  const next = await recordCompletion(term, memory, { plan, positions, prepared }, stopSignal);
  await prepared.commitRows();
  return next;`,
      },
    ],
    finds: /2\.4 batch \d+ is complete, but its rows are not visible/,
  },
  "runs what it has read ahead before the plan is durable": {
    edits: [
      {
        file: "runtime/engine/scheduler.ts",
        from: "  await record(term, memory, (signal) => journal.append(body, signal, { customary: positions, rows }));",
        to: `  const how = { bounds: next?.decision.bounds, recordPoison: async () => {}, commits: refusedCommits };
  const begun = next?.plan && prepareInTerm(term, { plan: next.plan, poison: [] }, how);
  begun?.catch(() => {});
  await record(term, memory, (signal) => journal.append(body, signal, { customary: positions, rows }));
  if (begun !== undefined) await (await begun)[Symbol.asyncDispose]();`,
      },
    ],
    finds: /2\.1 .* runs \d+:\d+ in batch \d+ without a durable plan/,
  },
  "has a store that lets old epochs append": {
    breakWorld: ({ logs }) => {
      for (const log of logs) log.isUnfenced = true;
    },
    finds: /2\.5 entry \d+ was appended by .*, which is fenced/,
  },
  "makes plans anew after a crash": {
    edits: [
      {
        file: "runtime/engine/scheduler.ts",
        from: "let planned: Planned | undefined = inHand && { inHand };",
        to: "let planned: Planned | undefined;",
      },
      // The journal would not let a batch be planned twice.
      {
        file: "runtime/journal/recover.ts",
        from: "BatchInHand {\n  if (state.inHand !== undefined) {",
        to: "BatchInHand {\n  if (plan.batchId < 0 && state.inHand) {",
      },
    ],
    finds: /2\.2 batch \d+ is planned a second time/,
  },
  "skips a batch by its number alone": {
    breakWorld: ({ table }) => {
      table.skipsByBatchIdAlone = true;
    },
    finds: /2\.4 batch \d+ is complete, but its rows are not visible/,
  },
  "prunes the newest completion": {
    edits: [
      {
        file: "runtime/engine/retention.ts",
        from: "await this.#journal.prune(oldest, this.#stop.signal)",
        to: "await this.#journal.prune(this.#journal.state.head, this.#stop.signal)",
      },
    ],
    finds: /does not tell where the job stands/,
  },
  "does not tell a sink that a batch has no recorded plan": {
    commitModes: [{ autoCommitIntervalMs: 100 }],
    edits: [{ file: "runtime/engine/prepare-batch.ts", from: ", ...(isUnplanned && { isUnplanned })", to: "" }],
    finds: /takes a batch without a recorded plan|was written under another plan|has no durable plan/,
  },
  "takes its own terms for another run's": {
    edits: [
      { file: "runtime/journal/may-take-over.ts", from: "isNewer && seen.runId !== run.id", to: "isNewer" },
      { file: "runtime/journal/may-take-over.ts", from: "if (runId === run.id)", to: "if (runId === undefined)" },
    ],
    finds: /2\.5 .* ended with FencedError.* but no newer epoch is in the log/,
  },
};

/** A runtime that has been broken, loaded under a name of its own. */
async function load(name: string, edits: readonly Edit[]): Promise<Runtime> {
  const root = join(folder, name.replaceAll(/[^a-z]+/g, "-"));
  makeMutant(root, edits);
  return import(/* @vite-ignore */ pathToFileURL(join(root, "runtime/index.ts")).href);
}

describe("the simulation finds a runtime or a world that", () => {
  for (const [name, { edits, breakWorld, commitModes, finds }] of Object.entries(mutants)) {
    test(
      name,
      async () => {
        const runtime = edits === undefined ? wholeRuntime : await load(name, edits);
        const found: string[] = [];
        for (let seed = 0; seed < MAX_SEEDS && !found.some((violation) => finds.test(violation)); seed++) {
          const options = { ...(breakWorld && { prepare: breakWorld }), ...(commitModes && { commitModes }) };
          const { violations } = await runSchedule({ seed, runtime, ...options });
          found.push(...violations);
        }
        expect(found.find((violation) => finds.test(violation)) ?? found.slice(0, 5)).toMatch(finds);
      },
      TIMEOUT_MS,
    );
  }

  test("does not read the head again after it has opened the sink", async () => {
    const edits = [{ file: "runtime/engine/term.ts", from: "await journal.verifyHead(signal);", to: "" }];
    // A run that goes on with a batch stands still before it opens the sink, until another has done everything.
    const violations = async (runtime: Runtime) => {
      const input = { runtime, tableKind: "last-opener", settings: PLAIN_SETTINGS, resumes: true } as const;
      return (await runWithFault({ ...input, faults: faultAt("sink.open", "freeze-before") })).violations;
    };
    expect(await violations(wholeRuntime)).toEqual([]);
    expect((await violations(await load("no-second-look", edits))).join()).toMatch(/2\.6 .* is visible twice/);
  });

  test("does not record where a job begins that records no plans", async () => {
    const edits = [{ file: "runtime/engine/run-unplanned.ts", from: "  await recordStarts(term, memory);\n", to: "" }];
    const violations = async (runtime: Runtime) => {
      const settings = { startingOffsets: "latest", commit: { autoCommitIntervalMs: 60_000 } } as const;
      const scene = new Scene({ runtime, settings, records: [3] });
      const first = scene.start("first", faultAt("sink.commit", "crash-before"), { trigger: "continuous" });
      await scene.world.time.runUntil(() => false, 1_000);
      scene.grow(0, 2);
      await scene.settled(first);
      await scene.run("second");
      return scene.verdict();
    };
    expect(await violations(wholeRuntime)).toEqual([]);
    expect((await violations(await load("no-starts", edits))).join()).toMatch(/2\.3 partition 0 never gave 0:3,0:4/);
  });

  test("commits at intervals what is not written yet", async () => {
    const file = "runtime/engine/run-unplanned.ts";
    const edits = [
      { file, from: "if (isManual) committer.add(commit);", to: "committer.add(commit);" },
      { file, from: "if (!isManual) committer.add(commit);", to: "" },
    ];
    const violations = async (runtime: Runtime) => {
      const scene = new Scene({ runtime, settings: { commit: { autoCommitIntervalMs: 1 } } });
      await scene.run("first", faultAt("sink.commit", "crash-before", 1));
      await scene.run("second", faultAt("sink.commit", "refused"));
      return scene.verdict();
    };
    expect(await violations(wholeRuntime)).toEqual([]);
    expect((await violations(await load("commits-early", edits))).join()).toMatch(
      /2\.4 the commit of batches .* is recorded, but .* is not visible/,
    );
  });

  test("begins a copy over a checkpoint in use", async () => {
    const edits = [
      {
        file: "runtime/journal/journal.ts",
        from: "else checkMayArrive(seen, copied, store.url);",
        to: "",
      },
    ];
    // Two people type the same command; the second one's process stands still until the first one's is done.
    const violations = async (runtime: Runtime) => {
      const scene = new Scene({ runtime });
      await scene.run("first");
      const copy = scene.startCopy("copy");
      await scene.world.time.runUntil(() => scene.world.logs[1].head >= 0n, 60_000);
      const again = scene.startCopy("again", (name, processName) =>
        processName === "again" && name === "store.shutOut" ? "freeze-before" : "none",
      );
      await scene.settled(again);
      await scene.settled(copy);
      scene.world.faults = noFaults;
      await scene.thawed(again);
      return scene.world.violations;
    };
    expect(await violations(wholeRuntime)).toEqual([]);
    expect((await violations(await load("copy-over", edits))).join()).toMatch(/2\.12 a copy arrives/);
  });

  test("tries a lost append again under a new token", async () => {
    const edits = [
      {
        file: "runtime/journal/journal.ts",
        from: "await this.#writer.append(seq, entry, customary, signal, rows);",
        to: "await this.#writer.append(seq, newEntry(record), customary, signal, rows);",
      },
    ];
    const begins = async (runtime: Runtime) => {
      const faults = faultAt("store.append", "lost-landed");
      return (await runWithFault({ runtime, tableKind: "epoch", settings: PLAIN_SETTINGS, faults })).ledger.begins;
    };
    // Nothing is written twice even so, but the run does not know its own entry and must begin another term.
    expect(await begins(wholeRuntime)).toBe(3);
    expect(await begins(await load("new-token", edits))).toBe(4);
  });
});
