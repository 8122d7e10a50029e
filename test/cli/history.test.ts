// The commands that look at what a job has done, replay it, or move where it stands.
import { expect, test } from "vitest";
import { Folder, steady, wideLines } from "./command.ts";
import { job, log } from "./sample-jobs.ts";

async function ranFolder(options: Parameters<typeof job>[0] = {}): Promise<Folder> {
  const folder = new Folder({ ...log(100), "job.ts": job(options) });
  const { code, stderr } = await folder.runtime("start", "job.ts");
  if (code !== 0) throw new Error(stderr);
  return folder;
}

test.concurrent("batches shows the saved ranges, newest first, in 80 columns", async () => {
  using folder = await ranFolder();
  const { code, stdout, stderr } = await folder.runtime("batches", "job.ts");
  expect({ code, stderr, stdout: steady(stdout) }).toEqual({
    code: 0,
    stderr: "",
    stdout: `batch  state      rows  completed (UTC)      ranges
    2  completed    50  <time>  in:0:67-100 in:1:67-100 in:2:66-100
    1  completed    50  <time>  in:0:34-67 in:1:33-67 in:2:33-66
    0  completed    50  <time>  in:0:0-34 in:1:0-33 in:2:0-33
`,
  });
  expect(wideLines(stdout)).toEqual([]);
  const { stdout: one } = await folder.runtime("batches", "job.ts", "--limit", "1");
  expect(one).toContain("… 2 older ones: runtime batches job.ts --limit 3\n");
});

test.concurrent("batches --json has everything, offsets as strings", async () => {
  using folder = await ranFolder();
  const { stdout } = await folder.runtime("batches", "job.ts", "--json");
  const [newest, ...older] = JSON.parse(stdout);
  expect(older).toHaveLength(2);
  expect(newest).toMatchObject({
    batchId: 2,
    state: "completed",
    ranges: [{ topic: "in", partition: 0, fromOffset: "67", untilOffset: "100" }, {}, {}],
    counts: { records: 100, rows: 50 },
  });
});

test.concurrent("a job that never ran has no batches, and is told what to type", async () => {
  using folder = new Folder({ ...log(1), "job.ts": job() });
  const { code, stdout } = await folder.runtime("batches", "job.ts");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "evens has no saved batches. To run it, type: runtime start job.ts\n",
  });
});

test.concurrent("offsets shows each partition and the lag", async () => {
  using folder = await ranFolder();
  folder.write("in/3.ndjson", '{"id":1}\n{"id":2}\n');
  const { code, stdout } = await folder.runtime("offsets", "job.ts");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `partition  earliest  committed  current  latest  lag
in:0              0        100      100     100    0
in:1              0        100      100     100    0
in:2              0        100      100     100    0
in:3              0          -        -       2    2
4 partitions, lag 2
`,
  });
  const { stdout: asJson } = await folder.runtime("offsets", "job.ts", "--json");
  expect(JSON.parse(asJson)[3]).toEqual({
    topic: "in",
    partition: 3,
    earliest: "0",
    committed: null,
    current: null,
    latest: "2",
    lag: "2",
  });
});

test.concurrent("replay gives the rows of saved batches again, byte for byte, and moves nothing", async () => {
  using folder = await ranFolder();
  const before = await folder.runtime("batches", "job.ts", "--json");
  const { code, stdout, stderr } = await folder.runtime("replay", "job.ts", "--batches", "0..2");
  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n")).toEqual(folder.lines("out"));
  expect(stderr).toBe("evens: replayed 3 batches: 300 records, 150 rows shown\n");

  const toFile = await folder.runtime("replay", "job.ts", "--since", "1h", "--sink", "file:again");
  expect(toFile.stdout).toBe("evens: replayed 3 batches: 300 records, 150 rows in again\n");
  expect(folder.lines("again")).toEqual(folder.lines("out"));

  const counted = await folder.runtime(
    "replay",
    "--ranges",
    "in:0:0-4",
    "in:2:0-2",
    "job.ts",
    "--sink",
    "none",
    "--json",
  );
  expect(JSON.parse(counted.stdout)).toEqual({ job: "evens", batches: 1, records: 6, rows: 3, differing: [] });
  expect((await folder.runtime("batches", "job.ts", "--json")).stdout).toBe(before.stdout);
});

test.concurrent("replay says what is gone, and which code gives other rows than then", async () => {
  using folder = await ranFolder();
  folder.write("job.ts", job().replace("% 2 === 0", "% 4 === 0"));
  const other = await folder.runtime("replay", "job.ts", "--batches", "1", "--sink", "none");
  expect(other.code).toBe(0);
  expect(other.stderr).toContain("warning: batch 1 gave another number of rows than then: the code is not the same");

  folder.write("in/1.ndjson", '{"id":1}\n');
  const gone = await folder.runtime("replay", "job.ts", "--batches", "0..2");
  expect({ code: gone.code, stdout: gone.stdout }).toEqual({ code: 1, stdout: "" });
  expect(gone.stderr).toMatch(/error: the log no longer holds what is to be replayed .*in:1:1-33/);
  expect(gone.stderr).toContain("hint: choose later batches: runtime batches job.ts\n");

  const unknown = await folder.runtime("replay", "job.ts", "--batches", "7");
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain("batches 0 to 2 are kept");
});

test.concurrent("reset shows the change, and makes it only with --execute", async () => {
  using folder = await ranFolder();
  const dry = await folder.runtime("reset", "job.ts", "--to-batch", "1");
  expect(dry).toEqual({
    code: 0,
    stderr: "",
    stdout: `evens: a dry run, nothing is changed
partition   is  would be   by
in:0       100        34  -66
in:1       100        33  -67
in:2       100        33  -67
To do it: runtime reset job.ts --to-batch 1 --execute
`,
  });
  expect((await folder.runtime("offsets", "job.ts")).stdout).toContain("lag 0");

  const done = await folder.runtime("reset", "job.ts", "--to-batch", "1", "--execute");
  expect(done.stdout).toContain("evens: its position has moved\npartition  was  is   by\nin:0       100  34  -66\n");
  expect((await folder.runtime("offsets", "job.ts")).stdout).toContain("lag 200");
  expect((await folder.runtime("start", "job.ts")).stdout).toContain("2 batches, 200 records");
});

const targets: [flags: string[], to: string[]][] = [
  [["--to-earliest"], ["0", "0", "0"]],
  [["--to-latest"], ["100", "100", "100"]],
  [
    ["--shift-by", "-40"],
    ["60", "60", "60"],
  ],
  [
    ["--to-offset", "in:1=7", "in:2=0"],
    ["100", "7", "0"],
  ],
];

test.concurrent("every target of reset gives a position for each partition", async () => {
  using folder = await ranFolder();
  for (const [flags, to] of targets) {
    const { code, stdout } = await folder.runtime("reset", "job.ts", ...flags, "--json");
    const { executed, changes } = JSON.parse(stdout);
    expect({ code, executed, to: changes.map((change: { to: string }) => change.to) }).toEqual({
      code: 0,
      executed: false,
      to,
    });
  }
  const outside = await folder.runtime("reset", "job.ts", "--to-offset", "in:1=101");
  expect(outside.code).toBe(2);
  expect(outside.stderr).toContain("offsets 0 to 100");
});

test.concurrent("doctor says that all is well, or what is not and what to type", async () => {
  using folder = await ranFolder();
  const well = await folder.runtime("doctor", "job.ts");
  expect(well.code).toBe(0);
  expect(wideLines(well.stdout)).toEqual([]);
  expect(well.stdout).toMatch(/^ok {7}checkpoint {2}whole, no holes: 3 batches kept, next is 3/m);
  expect(well.stdout).toMatch(/\nAll is well\.\n$/);

  folder.write("in/1.ndjson", '{"id":1}\n');
  const ill = await folder.runtime("doctor", "job.ts");
  expect(ill.code).toBe(1);
  expect(ill.stdout).toContain("problem  positions");
  expect(ill.stdout).toContain("→ runtime reset job.ts --to-earliest");
  expect(ill.stdout).toMatch(/\n1 problem, 0 warnings\.\n$/);
  const asJson = JSON.parse((await folder.runtime("doctor", "job.ts", "--json")).stdout);
  expect(asJson.filter(({ status }: { status: string }) => status === "problem")).toHaveLength(1);
});

test.concurrent.each(["job.ts", "evens"])("checkpoint copy moves the checkpoint, by the name %s", async (name) => {
  using folder = await ranFolder();
  const copied = await folder.runtime("checkpoint", "copy", "--from", "file:.tidemark", "--to", "file:kept", name);
  expect(copied.code).toBe(0);
  expect(copied.stdout).toMatch(/^evens: its checkpoint has moved to file:kept \(\d+ entries of history\)\n/);
  expect(copied.stdout).toContain('Next: set checkpoint: "file:kept" in the job; its next start goes on with batch 3.');

  const old = await folder.runtime("start", "job.ts");
  expect(old.code).toBe(2);
  expect(old.stderr).toContain("has moved to file:kept");
  const kept = await folder.runtime("start", "job.ts", "--checkpoint", "file:kept");
  expect(kept.code).toBe(0);
  expect(kept.stdout).toContain("nothing is left to do");
});

/** Folders that hold what a Spark query saved which stopped, or was killed in batch 7. */
function sparkFiles(topic: string, isKilled: boolean): Record<string, string> {
  const offsets = (...ends: number[]) => `v1\n{}\n${JSON.stringify({ [topic]: { ...ends } })}`;
  const files = {
    "cp/offsets/6": offsets(40, 50, 100),
    "cp/offsets/7": offsets(60, 50, 100),
    "cp/commits/6": "v1\n{}",
  };
  return isKilled ? files : { ...files, "cp/commits/7": "v1\n{}" };
}

test.concurrent("checkpoint import tells what it would do, does it when told to, and the job goes on", async () => {
  using folder = new Folder({ ...log(100), "job.ts": job(), ...sparkFiles("in", true) });
  const typed = ["checkpoint", "import", "--from", "spark:cp", "job.ts"];
  const dry = await folder.runtime(...typed);
  expect({ code: dry.code, stderr: dry.stderr, stdout: dry.stdout.replaceAll(folder.path, "<folder>") }).toEqual({
    code: 0,
    stderr: "",
    stdout: `evens: a dry run, nothing is written to file:.tidemark
partition  starts at  earliest  latest  lag
in:0              40         0     100   60
in:1              50         0     100   50
in:2             100         0     100    0
Its first batch is 7, over in:0:40-60.
Note: batch 7 was in flight: it runs first, over the ranges that Spark planned.
Note: what Spark wrote of batch 7 already is written again.
To do it: runtime checkpoint import --from spark:cp job.ts --execute
`,
  });
  expect((await folder.runtime("batches", "job.ts")).stdout).toContain("no saved batches");

  const done = await folder.runtime(...typed, "--execute", "--json");
  expect(JSON.parse(done.stdout)).toMatchObject({
    ...{ job: "evens", executed: true, to: "file:.tidemark", nextBatchId: 7 },
    positions: [{ topic: "in", partition: 0, offset: "40", lag: "60" }, {}, {}],
    firstBatch: [{ topic: "in", partition: 0, fromOffset: "40", untilOffset: "60" }],
  });
  expect((await folder.runtime("start", "job.ts")).code).toBe(0);
  const { stdout } = await folder.runtime("batches", "job.ts");
  expect(stdout).toMatch(/\n +8 .* in:0:60-100 in:1:50-100\n +7 .* in:0:40-60\n/);
  const again = await folder.runtime(...typed, "--execute");
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('already has a checkpoint of "evens"') });
  expect(again.stderr).toContain("runtime reset job.ts --to-offset topic:partition=offset");
});

test.concurrent("checkpoint import takes a job's name, and then everything as it is", async () => {
  using folder = new Folder(sparkFiles("in", false));
  const { code, stdout } = await folder.runtime(
    ...["checkpoint", "import", "evens", "--from", "spark:cp", "--to", "file:kept", "--execute"],
  );
  expect({ code, stdout: stdout.replaceAll(folder.path, "<folder>") }).toEqual({
    code: 0,
    stdout: `evens: imported from spark:<folder>/cp to file:kept
partition  starts at
in:0              60
in:1              50
in:2             100
Its first batch is 8.
Next: set checkpoint: "file:kept" in the job, and start it.
`,
  });
});
