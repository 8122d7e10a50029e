// Real processes with their checkpoint in ZooKeeper: killed at each point of a batch, and frozen until another run has
// taken over and gone on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { JobFolder } from "../crash/job-folder.ts";
import { JobProcess } from "../crash/job-process.ts";
import { killedAt, overtaken } from "../crash/scenarios.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestEnsemble, testEnsemble } from "./ensemble.ts";

/** The others at night. */
const POINTS =
  process.env["NIGHTLY"] === undefined ? (["commit"] as const) : (["task", "commit", "committed"] as const);

let ensemble: TestEnsemble;
beforeAll(async () => {
  ensemble = await testEnsemble();
}, serverStartTimeoutMs);
const above = mkdtempSync(join(tmpdir(), "tidemark-zookeeper-"));
afterAll(() => {
  ensemble[Symbol.dispose]();
  rmSync(above, { recursive: true, force: true });
});

/** A job's folder, and the arguments with which its checkpoint is in a place of its own in ZooKeeper. */
function newJob() {
  const name = newName("job");
  const url = `zookeeper://${ensemble.servers}/${name}?group=${name}`;
  const folder = new JobFolder(join(above, name), { options: { maxOffsetsPerBatch: 200 } });
  return { folder, name, options: { args: ["--checkpoint", url] } };
}

it.each(POINTS)(
  "a run that is killed again and again at %s writes each row once",
  async (point) => {
    const { folder, name, options } = newJob();
    expect(await killedAt(point, folder, options)).toEqual([]);
    expect(await ensemble.names(`/consumers/${name}/offsets/in`)).toEqual(["0", "1", "2"]);
    // Three kills and the last run: 300 lines each in every partition.
    for (const p of [0, 1, 2]) expect(await ensemble.text(`/consumers/${name}/offsets/in/${p}`)).toBe("1200");
  },
  60_000,
);

it.each(POINTS)(
  "a run that was frozen at %s until another took over is fenced and writes nothing more",
  async (point) => {
    const { folder, options } = newJob();
    expect(await overtaken(point, folder, options)).toEqual([]);
  },
  60_000,
);

it("a run with a wrong URL says in one line what to type", async () => {
  const { folder } = newJob();
  await using job = new JobProcess(folder.jobFile, { args: ["--checkpoint", "zookeeper://u:secret@127.0.0.1:x/a"] });
  expect((await job.ended()).code).toBe(2);
  expect(job.stderr).toMatch(/is no server of ZooKeeper/);
  expect(job.stderr).not.toContain("secret");
});
