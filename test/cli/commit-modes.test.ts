// What the command line shows of jobs that do not commit with every batch.
import { expect, test } from "vitest";
import { Folder, steady } from "./command.ts";
import { job, log } from "./sample-jobs.ts";

const ONE_HOUR = "commit: { autoCommitIntervalMs: 3_600_000 },";

test.concurrent("batches that were committed together are one line, and --json says which they are", async () => {
  using folder = new Folder({ ...log(100), "job.ts": job({ options: ONE_HOUR }) });
  const run = await folder.runtime("start", "job.ts");
  expect(run.code).toBe(0);
  expect(run.stdout).toContain("at-least-once");
  expect(run.stdout).not.toContain("exactly-once");
  const { stdout } = await folder.runtime("batches", "job.ts");
  expect(steady(stdout)).toBe(`batch  state      rows  completed (UTC)      ranges
  0-2  completed   150  <time>  in:0:0-100 in:1:0-100 in:2:0-100
`);
  const [committed] = JSON.parse((await folder.runtime("batches", "job.ts", "--json")).stdout);
  expect(committed).toMatchObject({ firstBatchId: 0, batchId: 2, plannedAtMs: null, counts: { records: 300 } });
  const reset = await folder.runtime("reset", "job.ts", "--to-batch", "1");
  expect(reset.code).toBe(2);
  expect(reset.stderr).toContain("batch 1 was committed together with 0 to 2");
  expect(reset.stderr).toContain("hint: give batch 0, or 3");
});

test.concurrent("offsets shows current ahead of committed in a running job, and then both the same", async (local) => {
  using folder = new Folder({ ...log(100), "job.ts": job({ options: `${ONE_HOUR} trigger: { intervalMs: 100 },` }) });
  const running = folder.begin("start", "job.ts");
  await running.seen(/batch(es \d+ to)? 2 complete/);
  const now = async () => JSON.parse((await folder.runtime("offsets", "job.ts", "--json")).stdout);
  await local.expect
    .poll(now, { timeout: 20_000 })
    .toMatchObject([{ committed: "0", current: "100", latest: "100", lag: "100" }, {}, {}]);
  running.signal("SIGTERM");
  expect((await running.done).code).toBe(143);
  expect(await now()).toMatchObject([{ committed: "100", current: "100", lag: "0" }, {}, {}]);
});

test.concurrent("a function sink that commits in a job that does so itself is told what to set", async () => {
  const sink = "async (_: unknown, batch: { commitSync(): Promise<void> }) => await batch.commitSync()";
  using folder = new Folder({ ...log(1), "job.ts": job({ sink }) });
  const { code, stderr } = await folder.runtime("start", "job.ts");
  expect(code).toBe(2);
  expect(stderr).toContain("batch.commitSync is for jobs that commit themselves");
  expect(stderr).toContain('hint: set commit: "manual"');
});
