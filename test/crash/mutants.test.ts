// The crash tests look where it matters: a runtime that is broken on purpose does not pass them, the whole one does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { JobFolder } from "./job-folder.ts";
import { type Edit, makeMutant } from "./mutant.ts";
import { checkpointGone, killedAt, oldCheckpointBack, overtaken, type ScenarioOptions } from "./scenarios.ts";

type Scenario = (folder: JobFolder, options: ScenarioOptions) => Promise<string[]>;

const scenarios = {
  "is killed before it commits": (folder, options) => killedAt("commit", folder, options),
  "is killed after it has committed": (folder, options) => killedAt("committed", folder, options),
  "is overtaken while it is frozen": (folder, options) => overtaken("commit", folder, options),
  "gets an old copy of its checkpoint back": oldCheckpointBack,
  "loses its checkpoint": checkpointGone,
} satisfies Record<string, Scenario>;

interface Mutant {
  readonly edits: readonly Edit[];
  readonly when: keyof typeof scenarios;
  /** What the scenario finds, at least. */
  readonly finds: RegExp;
}

const replanned: readonly Edit[] = [
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
];

const skippedByBatchId: Edit = {
  file: "connectors/files/file-writer.ts",
  from: 'if (planHash === batch.planHash) return "already-written";',
  to: 'return "already-written";',
};

const unfencedSink: Edit = {
  file: "connectors/files/staging.ts",
  from: "for (const other of others) await moveInto(mine, join(dir, other.name), other.token);",
  to: "",
};

const unfencedLog: Edit = {
  file: "runtime/journal/journal.ts",
  from: 'if (appended.is !== "appended" && !isMine) throw await this.#shutOut(signal);',
  to: "",
};

const mutants: Record<string, Mutant> = {
  "completes a batch before the sink commits it": {
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
    when: "is killed before it commits",
    finds: /partition \d has .* where .* is next|ends before/,
  },
  "has no fence": {
    edits: [unfencedSink, unfencedLog],
    when: "is overtaken while it is frozen",
    finds: /it wrote to the output after it was overtaken\n.*partition \d has .* where .* is next/,
  },
  "has no fence in the sink": {
    edits: [unfencedSink],
    when: "is overtaken while it is frozen",
    finds: /it wrote to the output after it was overtaken/,
  },
  "plans anew after a crash": {
    edits: replanned,
    when: "is killed before it commits",
    finds: /had the range .* and has now/,
  },
  "plans anew after a crash when the batch is in the sink": {
    edits: replanned,
    when: "is killed after it has committed",
    finds: /already holds batch/,
  },
  "plans anew after a crash, and skips by batchId alone": {
    edits: [...replanned, skippedByBatchId],
    when: "is killed after it has committed",
    finds: /partition \d has .* where .* is next|ends before/,
  },
  "skips by batchId alone": {
    edits: [skippedByBatchId],
    when: "gets an old copy of its checkpoint back",
    finds: /an old checkpoint was accepted/,
  },
  "skips whatever the lineage": {
    edits: [
      {
        file: "connectors/files/output-folder.ts",
        from: "if (file?.lineage === mine) written.set(file.batchId, file.planHash);",
        to: "if (file !== undefined) written.set(file.batchId, file.planHash);",
      },
      skippedByBatchId,
    ],
    when: "loses its checkpoint",
    finds: /the new checkpoint's batches were not written/,
  },
};

const above = mkdtempSync(join(tmpdir(), "tidemark-mutants-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

async function play(name: keyof typeof scenarios, edits: readonly Edit[]): Promise<string[]> {
  const dir = mkdtempSync(join(above, "mutant-"));
  const root = join(dir, "root");
  makeMutant(root, edits);
  return await scenarios[name](new JobFolder(join(dir, "job")), { root });
}

describe("a copy of the runtime that is not broken", () => {
  for (const when of Object.keys(scenarios) as (keyof typeof scenarios)[]) {
    it(`keeps its promises when it ${when}`, async () => {
      expect(await play(when, [])).toEqual([]);
    });
  }
});

describe("a runtime that", () => {
  for (const [name, { edits, when, finds }] of Object.entries(mutants)) {
    it(`${name} is found out when it ${when}`, async () => {
      expect((await play(when, edits)).join("\n")).toMatch(finds);
    });
  }
});
