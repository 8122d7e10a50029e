// `runtime start`: runs, resumes, tells what it did, and how it fails.
import { expect, test } from "vitest";
import { Folder, steady, wideLines } from "./command.ts";
import { endlessJob, job, lines, log } from "./sample-jobs.ts";

test.concurrent("a job runs, has nothing left to do, and does just what arrives later", async () => {
  using folder = new Folder({ ...log(100), "job.ts": job() });
  const first = await folder.runtime("start", "job.ts");
  expect({ ...first, stdout: steady(first.stdout), stderr: "" }).toEqual({
    code: 0,
    stderr: "",
    stdout: `evens: done: nothing is left
  3 batches, 300 records in <span>
  150 rows to out, exactly-once
Next:
  runtime batches job.ts   what each batch read
  runtime offsets job.ts   how far it is
`,
  });
  expect(wideLines(first.stdout + first.stderr)).toEqual([]);
  expect(first.stderr).toMatch(/^evens: starts as a new job \(epoch 0\)\n/);
  expect(first.stderr).toMatch(/batch(es \d to)? 2 complete: .* lag 0\n$/);

  const second = await folder.runtime("start", "job.ts");
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/^evens: nothing is left to do\nNext:\n/);
  expect(second.stderr).toMatch(/^evens: goes on where it stood \(epoch \d+\)\n$/);

  folder.write("in/1.ndjson", lines(1, 110));
  const third = await folder.runtime("start", "job.ts");
  expect(third.stdout).toContain("1 batch, 10 records");
  const ids = folder.lines("out").map((line) => Number(JSON.parse(line).id));
  expect(ids).toHaveLength(155);
  expect(new Set(ids).size).toBe(155);
});

test.concurrent("--json gives one line per job with what it did", async () => {
  using folder = new Folder({ ...log(100), "job.ts": job(), "other.ts": job({ name: "other", sink: "() => {}" }) });
  const { code, stdout } = await folder.runtime("start", "job.ts", "other.ts", "--json");
  expect(code).toBe(0);
  const results = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .sort((a, b) => (a.job < b.job ? -1 : 1));
  expect(results).toMatchObject([
    { job: "evens", reason: "nothing-left", batches: 3, records: 300, rows: 150, poison: 0 },
    { job: "other", reason: "nothing-left", batches: 3, records: 300, rows: 150 },
  ]);
});

test.concurrent("--log-format json gives one object a line on stderr", async () => {
  using folder = new Folder({ ...log(100), "job.ts": job() });
  const { stderr } = await folder.runtime("start", "job.ts", "--log-format", "json");
  const logged = stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(logged[0]).toMatchObject({
    level: "info",
    job: "evens",
    message: "starts as a new job (epoch 0)",
    epoch: "0",
  });
  expect(logged.at(-1)).toMatchObject({ job: "evens", batchId: 2, lag: "0" });
  expect(logged.every(({ time }) => !Number.isNaN(Date.parse(time)))).toBe(true);
});

test.concurrent("what is printed to the console is only rows", async () => {
  using folder = new Folder({ ...log(2), "job.ts": job({ sink: "consoleSink()" }) });
  const { code, stdout, stderr } = await folder.runtime("start", "job.ts", "--checkpoint", "memory:");
  expect(code).toBe(0);
  expect(stdout).toBe('{"id":0}\n{"id":4}\n{"id":2}\n');
  expect(stderr).toContain("evens: done: nothing is left\n");
});

test.concurrent("--trigger and --checkpoint replace the job's own, and the commands to type next name it", async () => {
  using folder = new Folder({ ...log(100), "job.ts": job() });
  const { code, stdout } = await folder.runtime("start", "job.ts", "--trigger", "once", "--checkpoint", "file:kept");
  expect(code).toBe(0);
  expect(stdout).toContain("  1 batch, 300 records");
  expect(stdout).toContain("  runtime batches job.ts --checkpoint file:kept   ");
  const { stdout: batches } = await folder.runtime("batches", "job.ts", "--checkpoint", "file:kept");
  expect(batches).toContain("in:0:0-100");
});

test.concurrent("paths and the checkpoint are relative to the job's folder, wherever one stands", async () => {
  const files = Object.entries(log(10)).map(([name, text]) => [`jobs/${name}`, text]);
  using folder = new Folder({ ...Object.fromEntries(files), "jobs/job.ts": job() });
  const { code } = await folder.runtime("start", "jobs/job.ts");
  expect(code).toBe(0);
  expect(folder.lines("jobs/out")).toHaveLength(15);
  expect(folder.read("jobs/.tidemark/.gitignore")).toContain("*");
});

test.concurrent("an error in the pipeline shows the record and the line that threw, and exits with 1", async () => {
  const row = "{ id: (value as never as { user: { name: string } }).user.name }";
  using folder = new Folder({ ...log(2), "job.ts": job({ row }) });
  const { code, stdout, stderr } = await folder.runtime("start", "job.ts");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  const [, shown] = stderr.split("(epoch 0)\n");
  expect(shown).toBe(`evens: error: the pipeline failed at in:0:0: Cannot read properties of undefined (reading 'name')

  job.ts:13:83
    11 |   pipeline: (records$) => records$.pipe(
    12 |     filter(({ value }) => value.id % 2 === 0),
  > 13 | …value as never as { user: { name: string } }).user.name })),
       |                                                     ^
    14 |   ),

hint: mend the pipeline and start again, or set onPoisonRecord: "skip" or deadLetter(sink)
`);
});

test.concurrent("a record that cannot be decoded is named, and the hint says how to go on without it", async () => {
  using folder = new Folder({ ...log(2), "job.ts": job() });
  folder.write("in/1.ndjson", '{"id":1}\n{"id":\u001b[31m\n{"id":2}\n');
  const failed = await folder.runtime("start", "job.ts");
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/evens: error: .*in:1:1/);
  expect(failed.stderr).not.toContain("\u001b");

  folder.write("job.ts", job({ options: 'onPoisonRecord: "skip",' }));
  const { code, stdout, stderr } = await folder.runtime("start", "job.ts");
  expect(code).toBe(0);
  expect(stderr).toContain("batch 0 was not completed: it runs again over the same ranges");
  expect(stderr).toContain("evens: warning: batch 0: 1 poison record left out: in:1:1 (cannot be decoded: ");
  expect(stdout).toContain("  1 poison record left out\n");
});

test.concurrent("a job that fails is told at once, the others go on, and the exit code is the worst", async () => {
  using folder = new Folder({
    ...log(10),
    "good.ts": endlessJob("good", 1),
    "bad.ts": job({ name: "bad", sink: '() => { throw new Error("the table is gone"); }' }),
  });
  const running = folder.begin("start", "good.ts", "bad.ts");
  await running.seen(/bad: error: the sink function failed: the table is gone/);
  await running.seen(/bad: warning: has ended; still running: good/);
  await running.seen(/good: batch(es \d+ to)? \d+ complete/);
  running.signal("SIGTERM");
  const { code, stdout } = await running.done;
  expect(code).toBe(1);
  expect(stdout).toContain("good: stopped; the next start goes on from here");
});

test.concurrent("an error that nothing could catch is shown like any other", async () => {
  const sink = '() => { setTimeout(() => { throw new Error("late"); }, 1); return new Promise(() => {}); }';
  using folder = new Folder({ ...log(2), "job.ts": job({ sink }) });
  const { code, stderr } = await folder.runtime("start", "job.ts");
  expect(code).toBe(1);
  expect(stderr).toMatch(/error: nothing caught this error: late\n\n {2}job\.ts:15:\d+\n/);
});

const wrongPlaces: [checkpoint: string, message: string][] = [
  ["fil:x", '"fil:x" is not the URL of a checkpoint store\nhint: did you mean file:?'],
  ["kept", '"kept" is not the URL of a checkpoint store\nhint: for a folder, write file:kept'],
  ["redis://me:secret@host/1", '"redis://me:***@host/1" is not the URL of a checkpoint store\nhint: this version has'],
];

test.concurrent.each(wrongPlaces)("--checkpoint %s exits with 2 and shows no password", async (checkpoint, message) => {
  using folder = new Folder({ ...log(2), "job.ts": job() });
  const { code, stdout, stderr } = await folder.runtime("start", "job.ts", "--checkpoint", checkpoint);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`evens: error: ${message}`);
});

test.concurrent("a source that is not there is a mistake of the job: exit code 2", async () => {
  using folder = new Folder({ "job.ts": job() });
  const { code, stderr } = await folder.runtime("start", "job.ts");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^evens: error: .*\nhint: /);
});
