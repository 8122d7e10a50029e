// Real processes with their checkpoint in one store, as tests: killed at each point of a batch, and frozen until
// another run has taken over and gone on. A store's own test file calls `storeProcesses` with a harness.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { JobFolder } from "../crash/job-folder.ts";
import { JobProcess } from "../crash/job-process.ts";
import { killedAt, overtaken } from "../crash/scenarios.ts";

/** The others at night. */
const POINTS =
  process.env["NIGHTLY"] === undefined ? (["commit"] as const) : (["task", "commit", "committed"] as const);

/** A place for a checkpoint that nobody has used. */
export interface FreshPlace {
  readonly url: string;
  /** Letters, digits and dashes; nobody else's. */
  readonly name: string;
  /** By partition, what people's own tools are shown for the topic `in`; left out where the store shows nothing. */
  shown?(): Promise<Readonly<Record<string, string>>>;
}

export interface StoreProcessesHarness {
  /** The system, for the tests' names. */
  readonly name: string;
  readonly newPlace: () => FreshPlace;
  /** A URL that cannot be right, what is said of it, and what must not be. */
  readonly wrong: { readonly url: string; readonly says: RegExp; readonly hides?: string };
}

/** Declares the suite for one store. */
export function storeProcesses({ name: system, newPlace, wrong }: StoreProcessesHarness): void {
  const above = mkdtempSync(join(tmpdir(), "tidemark-processes-"));
  afterAll(() => rmSync(above, { recursive: true, force: true }));
  const newJob = () => {
    const place = newPlace();
    const folder = new JobFolder(join(above, place.name), { options: { maxOffsetsPerBatch: 200 } });
    return { folder, place, options: { args: ["--checkpoint", place.url] } };
  };

  describe(`processes with their checkpoint in ${system}`, () => {
    it.each(POINTS)(
      "write each row once, though they are killed again and again at %s",
      async (point) => {
        const { folder, place, options } = newJob();
        expect(await killedAt(point, folder, options)).toEqual([]);
        // Three kills and the last run: 300 lines each in every partition.
        if (place.shown !== undefined) expect(await place.shown()).toEqual({ 0: "1200", 1: "1200", 2: "1200" });
      },
      90_000,
    );

    it.each(POINTS)(
      "are fenced and write nothing more, when they were frozen at %s until another took over",
      async (point) => {
        const { folder, options } = newJob();
        expect(await overtaken(point, folder, options)).toEqual([]);
      },
      90_000,
    );

    it("say in one line what to type when the URL is wrong", async () => {
      const { folder } = newJob();
      await using job = new JobProcess(folder.jobFile, { args: ["--checkpoint", wrong.url] });
      expect((await job.ended()).code).toBe(2);
      expect(job.stderr).toMatch(wrong.says);
      if (wrong.hides !== undefined) expect(job.stderr).not.toContain(wrong.hides);
    });
  });
}
