// Real processes with their checkpoint in HBase: killed at each point of a batch, and frozen until another run has
// taken over and gone on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { JobFolder } from "../crash/job-folder.ts";
import { JobProcess } from "../crash/job-process.ts";
import { killedAt, overtaken } from "../crash/scenarios.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";

/** The others at night. */
const POINTS =
  process.env["NIGHTLY"] === undefined ? (["commit"] as const) : (["task", "commit", "committed"] as const);
const OFFSETS_TABLE = "stream_kafka_offsets";
const { signal } = new AbortController();

let test: TestCluster;
beforeAll(async () => {
  test = await testCluster();
}, serverStartTimeoutMs);
const above = mkdtempSync(join(tmpdir(), "tidemark-hbase-"));
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  rmSync(above, { recursive: true, force: true });
});

/** A job's folder, and the arguments with which its checkpoint is in HBase, under a group of its own. */
function newJob() {
  const group = newName("job");
  const url = `hbase://${test.zookeeper}/${group}?group=${group}`;
  const folder = new JobFolder(join(above, group), { options: { maxOffsetsPerBatch: 200 } });
  return { folder, group, options: { args: ["--checkpoint", url] } };
}

/** The newest offsets that the customary table shows for the topic `in`, by partition. */
async function shown(group: string): Promise<Record<string, string>> {
  const range = { from: Buffer.from(`in:${group}:9`), until: Buffer.from(`in:${group}:`), isReversed: true, limit: 1 };
  const [newest] = await test.cluster.table(OFFSETS_TABLE).scan({ ...range, family: "offsets" }, signal);
  const cells = newest?.cells ?? [];
  return Object.fromEntries(cells.map(({ qualifier, value }) => [qualifier, Buffer.from(value).toString()]));
}

it.each(POINTS)(
  "a run that is killed again and again at %s writes each row once",
  async (point) => {
    const { folder, group, options } = newJob();
    expect(await killedAt(point, folder, options)).toEqual([]);
    // Three kills and the last run: 300 lines each in every partition.
    expect(await shown(group)).toEqual({ 0: "1200", 1: "1200", 2: "1200" });
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

it("a run with a wrong URL says in one line what to type", async () => {
  const { folder } = newJob();
  await using job = new JobProcess(folder.jobFile, { args: ["--checkpoint", "hbase://127.0.0.1:x/a"] });
  expect((await job.ended()).code).toBe(2);
  expect(job.stderr).toMatch(/is no server of ZooKeeper/);
});
