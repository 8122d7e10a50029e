// Stopping a job by signals, and a pipeline that never completes: no hang, the exit code that says why, and a restart
// that goes on exactly where it stopped.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import { Plans } from "./plans.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
const LINES = 300;
const TO_THE_END = { args: ["--trigger", "available-now"] };

const above = mkdtempSync(join(tmpdir(), "tidemark-stopping-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

describe.each(Object.entries(SIGNALS) as [keyof typeof SIGNALS, number][])("%s", (signal, code) => {
  it(`finishes the batch in hand, begins no other, and exits ${code}`, async () => {
    const folder = new JobFolder(join(above, `${signal}-once`), { options: { maxOffsetsPerBatch: 300 } });
    folder.append(LINES);
    folder.hold("task");
    await using job = new JobProcess(folder.jobFile);
    await job.says(/^@task 0/m);
    job.send(signal);
    await job.says(/finishing batch 0/);
    folder.release("task");
    expect(await job.ended(), job.stderr).toEqual({ code, signal: null });
    expect(folder.outputFiles()).toHaveLength(1);
    expect(job.stderr).not.toMatch(/^@task 1/m);

    await using next = new JobProcess(folder.jobFile, TO_THE_END);
    expect((await next.ended()).code).toBe(0);
    expect(next.stderr).not.toMatch(/runs again|in the sink already|waiting until|^@task 0/m);
    expect(folder.problems()).toEqual([]);
  });

  it(`aborts the batch in hand the second time and exits ${code}, and the batch runs again`, async () => {
    const folder = new JobFolder(join(above, `${signal}-twice`));
    folder.append(LINES);
    folder.hold("task");
    const plans = new Plans();
    await using job = new JobProcess(folder.jobFile);
    await job.says(/^@task 0/m);
    job.send(signal);
    await job.says(/finishing batch 0/);
    job.send(signal);
    expect(await job.ended(), job.stderr).toEqual({ code, signal: null });
    expect(job.stderr).toMatch(/aborted.* in batch 0: it runs again at the next start/);
    expect(folder.outputFiles()).toEqual([]);
    folder.release("task");

    folder.append(LINES);
    await using next = new JobProcess(folder.jobFile, TO_THE_END);
    expect((await next.ended()).code, next.stderr).toBe(0);
    expect([...plans.add(job.stderr), ...plans.add(next.stderr), ...folder.problems()]).toEqual([]);
    expect(plans.batchesThatRanAgain).toBe(1);
  });

  it(`ends a job that waits for data at once, with ${code}`, async () => {
    const folder = new JobFolder(join(above, `${signal}-idle`));
    await using job = new JobProcess(folder.jobFile);
    await job.says(/waiting for data/);
    job.send(signal);
    expect(await job.ended(), job.stderr).toEqual({ code, signal: null });
  });
});

describe("a pipeline that never completes", () => {
  for (const stuck of ["concatMap", "mergeWith"] as const) {
    it(`(${stuck} with NEVER) is an error that says so when phaseTimeoutMs is over, not a hang`, async () => {
      const options = { phaseTimeoutMs: 500 };
      const folder = new JobFolder(join(above, stuck), { stuck, options });
      folder.append(LINES);
      await using job = new JobProcess(folder.jobFile);
      expect(await job.ended()).toEqual({ code: 1, signal: null });
      expect(job.stderr).toMatch(/the phase "read and process" .* 500 ms/);
      expect(job.stderr).toMatch(/does the pipeline complete when records\$ completes/);
      expect(folder.outputFiles()).toEqual([]);

      // Once it is mended, the same batch runs again.
      const mended = new JobFolder(folder.dir, { options });
      await using next = new JobProcess(mended.jobFile, TO_THE_END);
      expect((await next.ended()).code, next.stderr).toBe(0);
      expect(next.stderr).toMatch(/batch 0 was not completed: it runs again/);
    });
  }
});
