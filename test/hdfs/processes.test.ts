// Real processes with their checkpoint in HDFS: killed at each point of a batch, and frozen until another run has taken
// over and gone on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { JobFolder } from "../crash/job-folder.ts";
import { killedAt, overtaken } from "../crash/scenarios.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";

/** The others at night. */
const POINTS =
  process.env["NIGHTLY"] === undefined ? (["commit"] as const) : (["task", "commit", "committed"] as const);

let inHdfs: TestFolder;
beforeAll(async () => {
  inHdfs = await testFolder();
}, serverStartTimeoutMs);
const above = mkdtempSync(join(tmpdir(), "tidemark-hdfs-"));
afterAll(async () => {
  await inHdfs[Symbol.asyncDispose]();
  rmSync(above, { recursive: true, force: true });
});

/** A job's folder, and the arguments with which its checkpoint is in a folder of its own in HDFS. */
function newJob() {
  const name = newName("job");
  const folder = new JobFolder(join(above, name), { options: { maxOffsetsPerBatch: 200 } });
  return { folder, options: { args: ["--checkpoint", inHdfs.urlOf(name)] } };
}

it.each(POINTS)(
  "a run that is killed again and again at %s writes each row once",
  async (point) => {
    const { folder, options } = newJob();
    expect(await killedAt(point, folder, options)).toEqual([]);
  },
  90_000,
);

it.each(POINTS)(
  "a run that was frozen at %s until another took over is fenced and writes nothing more",
  async (point) => {
    const { folder, options } = newJob();
    expect(await overtaken(point, folder, options)).toEqual([]);
  },
  90_000,
);
