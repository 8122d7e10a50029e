// `runtime start --threads`: what the user sees of a job that runs on several threads, and of what goes wrong there.
import { expect, test } from "vitest";
import { JobProcess } from "../crash/job-process.ts";
import { Folder } from "./command.ts";
import { job, log } from "./sample-jobs.ts";

test.concurrent("runs the job on threads; what its own code prints there is seen", async () => {
  const row = "(console.log('id', value.id), { id: value.id })";
  using folder = new Folder({ ...log(10), "job.ts": job({ row }) });
  const { code, stdout, stderr } = await folder.runtime("start", "job.ts", "--threads", "2");
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("batch 0 complete: 30 records") });
  expect(stdout.match(/^id \d+$/gm)).toHaveLength(15);
  expect(stdout).toContain("15 rows to out, exactly-once");
  expect(folder.lines("out")).toHaveLength(15);
});

test.concurrent("shows the line of the job that threw, as on one thread", async () => {
  const row = '{ id: value.id === 20 ? BigInt("x") : 1 }';
  using folder = new Folder({ ...log(10), "job.ts": job({ row }) });
  const shown = async (...flags: readonly string[]) => {
    const { code, stderr } = await folder.runtime("start", "job.ts", ...flags);
    return { code, stderr: stderr.replace(/^.*(epoch|after \d|complete).*\n/gm, "") };
  };
  const onTwo = await shown("--threads", "2");
  expect(onTwo.stderr).toContain("the pipeline failed at in:2:6");
  expect(onTwo.stderr).toContain('BigInt("x")');
  expect(onTwo).toEqual(await shown());
});

test.concurrent("--threads takes a number from 1 to 64", async () => {
  using folder = new Folder({ "job.ts": job() });
  for (const typed of ["0", "65", "many"]) {
    const { code, stderr } = await folder.runtime("start", "job.ts", "--threads", typed);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("from 1 to 64") });
  }
});

test("a thread without memory left fails the job, and says what to do", async () => {
  const row = "(() => { const kept = []; for (;;) kept.push(new Array(20_000).fill(0)); })()";
  using folder = new Folder({ ...log(10), "job.ts": job({ row }) });
  const options = { args: ["--threads", "2"], env: { NODE_OPTIONS: "--max-old-space-size=100" } };
  await using running = new JobProcess(`${folder.path}/job.ts`, options);
  expect(await running.ended()).toEqual({ code: 1, signal: null });
  expect(running.stderr).toContain("a thread of the job had no memory left while it ran in:");
  expect(running.stderr).toContain("--max-old-space-size");
});

test("a second Ctrl-C ends it though a thread hangs", async () => {
  const row = "(() => { for (;;); })()";
  using folder = new Folder({ ...log(10), "job.ts": job({ row: `(writeSync(2, "@hangs\\n"), ${row})` }) });
  const text = folder.read("job.ts");
  folder.write("job.ts", `import { writeSync } from "node:fs";\n${text}`);
  await using running = new JobProcess(`${folder.path}/job.ts`, { args: ["--threads", "2"] });
  await running.says(/@hangs/);
  running.send("SIGINT");
  await running.says(/finishing batch 0/);
  running.send("SIGINT");
  expect(await running.ended()).toEqual({ code: 130, signal: null });
});
