// In what order a batch becomes durable, by the system calls of a real run: a kill cannot show it, since the page cache
// survives.
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { JobFolder } from "./job-folder.ts";
import { JobProcess } from "./job-process.ts";
import type { SystemCall } from "./system-calls.ts";
import { needStrace, strace, tracedCalls } from "./tracing.ts";

const CALLS = "link,linkat,rename,renameat,renameat2,fsync,fdatasync";
const BATCHES = 4;

const above = realpathSync(mkdtempSync(join(tmpdir(), "tidemark-sync-order-")));
afterAll(() => rmSync(above, { recursive: true, force: true }));

/** The calls of a start that ends when there is nothing left to do. */
async function traceOf(folder: JobFolder): Promise<SystemCall[]> {
  const output = join(folder.dir, "trace");
  const under = strace(output, CALLS);
  await using job = new JobProcess(folder.jobFile, { under, args: ["--trigger", "available-now"] });
  expect((await job.ended()).code, job.stderr).toBe(0);
  return tracedCalls(output);
}

const isSync = ({ name }: SystemCall) => /^f(data)?sync$/.test(name);
const isEntryLink = ({ name, args }: SystemCall) => /^link/.test(name) && /\/log-\w+\/\d+\.entry"/.test(args);

it("syncs a batch's file, renames it, syncs the folder, and only then records completion", async (context) => {
  needStrace(context);
  const folder = new JobFolder(join(above, "whole"), { options: { maxOffsetsPerBatch: 300 } });
  folder.append(100 * BATCHES);
  const calls = await traceOf(folder);
  const out = join(folder.dir, "out");
  const renames = calls.filter(({ name, args }) => /^rename/.test(name) && args.includes(`"${out}/0`));
  expect(renames).toHaveLength(BATCHES);
  for (const renamed of renames) {
    const [, staged] = /"([^"]+)"/.exec(renamed.args) ?? [];
    const recorded = calls.find((call) => isEntryLink(call) && call.ended > renamed.began);
    const file = calls.find((call) => isSync(call) && call.args.includes(`<${staged}>`));
    const ofFolder = calls.find((call) => isSync(call) && call.args.includes(`<${out}>`) && call.began > renamed.ended);
    expect(file?.ended).toBeLessThan(renamed.began);
    expect(ofFolder?.ended).toBeLessThan(recorded?.began ?? -1);
  }
});

it("syncs the folder before it counts a batch as written that a killed run has only renamed", async (context) => {
  needStrace(context);
  const folder = new JobFolder(join(above, "again"));
  folder.append(100);
  folder.hold("committed");
  await using job = new JobProcess(folder.jobFile);
  await job.says(/^@committed 0/m);
  await job.kill();
  folder.release("committed");
  const calls = await traceOf(folder);
  // The first entry begins the term, the second completes the batch that is there.
  const [begun, completed] = calls.filter(isEntryLink);
  const synced = calls.find((call) => isSync(call) && call.args.includes(`<${join(folder.dir, "out")}>`));
  expect(synced?.began).toBeGreaterThan(begun?.ended ?? Number.POSITIVE_INFINITY);
  expect(synced?.ended).toBeLessThan(completed?.began ?? -1);
  expect(folder.problems()).toEqual([]);
});

it("syncs the store's folder when it takes over a job that a killed run has only made", async (context) => {
  needStrace(context);
  const folder = new JobFolder(join(above, "made"));
  folder.append(100);
  await using job = new JobProcess(folder.jobFile);
  await job.says(/^@task 0/m);
  await job.kill();
  const calls = await traceOf(folder);
  const begun = calls.find(isEntryLink);
  const synced = calls.find((call) => isSync(call) && call.args.includes(`<${join(folder.dir, "checkpoint")}>`));
  expect(synced?.ended).toBeLessThan(begun?.began ?? -1);
});
