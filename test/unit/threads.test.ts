// Jobs on threads of their own: the same output as on one, and the same errors, whatever the code of the job does.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import {
  type BatchWrite,
  defineJob,
  type Job,
  type JobEvent,
  type RunOptions,
  runJob,
  type TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import { given, type ThreadsJobSettings, threadsJob } from "./threads-job.ts";

const jobFile = new URL("threads-job.ts", import.meta.url);
const above = mkdtempSync(join(tmpdir(), "tidemark-threads-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

const PARTITIONS = 3;
const LINES = 60;

/** A new folder with an input of three partitions. */
function folder(lines = LINES): string {
  const dir = mkdtempSync(join(above, "job-"));
  mkdirSync(join(dir, "in"));
  for (let p = 0; p < PARTITIONS; p++) {
    const text = Array.from({ length: lines }, (_, n) => `${JSON.stringify({ p, n })}\n`).join("");
    writeFileSync(join(dir, "in", `${p}.ndjson`), text);
  }
  return dir;
}

/** Runs the job of threads-job.ts, on two threads unless said. */
async function run(settings: ThreadsJobSettings, options: RunOptions = {}) {
  process.env["THREADS_JOB"] = JSON.stringify(settings);
  const events: JobEvent[] = [];
  const onEvent = (event: JobEvent) => void events.push(event);
  const result = await runJob(threadsJob(settings), { threads: 2, jobFile, onEvent, ...options });
  return { result, events };
}

/** The job of threads-job.ts, whose rows go into this in place of its sink, though its threads encode for that. */
function writingTo(settings: ThreadsJobSettings, write: BatchWrite): Job {
  process.env["THREADS_JOB"] = JSON.stringify(settings);
  const job = threadsJob(settings);
  const open = async () => ({ begin: async () => write, [Symbol.asyncDispose]: async () => {} });
  const changed = { ...job, definition: { ...job.definition, sink: { ...job.definition.sink, open } } };
  return Object.defineProperty(changed, Symbol.for("tidemark.job"), { value: true });
}

/** The error that it fails with. */
async function failure(settings: ThreadsJobSettings, options?: RunOptions): Promise<TidemarkError> {
  return await run(settings, options).then(
    () => Promise.reject(new Error("it did not fail")),
    (error: TidemarkError) => error,
  );
}

function rowsIn(dir: string, name = "out"): Record<string, unknown>[] {
  const files = readdirSync(join(dir, name)).filter((file) => !/^[._]/.test(file));
  const text = files.sort().map((file) => readFileSync(join(dir, name, file), "utf8"));
  return text.flatMap((lines) =>
    lines
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  );
}

describe("on threads, a job", () => {
  test("writes the same files as on one, in the order of partitions, though the last are ready first", async () => {
    const [one, two] = [folder(), folder()];
    const settings = { does: "rows, late", options: { maxOffsetsPerBatch: 90 } } as const;
    const { result } = await run({ dir: one, ...settings }, { threads: 1 });
    expect(await run({ dir: two, ...settings }, { threads: 3 })).toMatchObject({ result: { records: 180, rows: 180 } });
    expect(result).toMatchObject({ batches: 2, records: 180, rows: 180 });
    expect(rowsIn(two)).toEqual(rowsIn(one));
  });

  test("runs its pipeline on as many threads as it has, and none of them is the main one", async () => {
    const dir = folder();
    await run({ dir, does: "the thread of each row", options: { threads: 2 } }, { jobFile });
    const threads = new Set(rowsIn(dir).map((row) => row["threadId"]));
    expect(threads.size).toBe(2);
    expect(threads).not.toContain(0);
  });

  test("combines on the main thread, in the order of partitions", async () => {
    const [one, two] = [folder(), folder()];
    await run({ dir: one, to: "combine", does: "rows, late" }, { threads: 1 });
    await run({ dir: two, to: "combine", does: "rows, late" }, { threads: 3 });
    expect(rowsIn(two)).toEqual(rowsIn(one));
    expect(rowsIn(two)).toMatchObject([{ threadId: 0 }]);
  });

  test("gives a function sink its rows on the main thread, whole records too", async () => {
    const dir = folder(2);
    given.length = 0;
    await run({ dir, to: "function", does: "whole records" });
    const rows = given.flatMap((each) => each.rows);
    expect(given[0]?.threadId).toBe(0);
    expect(rows).toMatchObject(
      [0, 0, 1, 1, 2, 2].map((partition, index) => ({ partition, offset: BigInt(index % 2) })),
    );
    expect(rows[3]).toMatchObject({ topic: "in", key: null, headers: [], value: { p: 1, n: 1 } });
  });

  test("splits ranges when it says that order does not matter, and loses none", async () => {
    const dir = folder(25_000);
    await run({ dir, does: "the thread of each row", options: { ordered: false } });
    const rows = rowsIn(dir);
    expect(new Set(rows.map(({ p, n }) => `${p}-${n}`)).size).toBe(75_000);
    expect(rows).toHaveLength(75_000);
    expect(new Set(rows.map(({ p, from }) => `${p} ${from}`)).size).toBe(9);
  });

  test("leaves out what makes its pipeline throw, and writes it down, as on one", async () => {
    const [one, two] = [folder(), folder()];
    const settings = { does: "odd ones fail", poison: "dead-letters" } as const;
    await run({ dir: one, ...settings }, { threads: 1 });
    const { result } = await run({ dir: two, ...settings });
    expect(result).toMatchObject({ rows: 162, poison: 18 });
    expect(rowsIn(two)).toEqual(rowsIn(one));
    expect(rowsIn(two, "dead")).toEqual(rowsIn(one, "dead"));
  });

  test("says what of the log is gone, or goes on without it", async () => {
    const [one, two] = [folder(), folder()];
    const message = "a part was deleted: in:1:20-30";
    expect(await failure({ dir: one, does: "loses a part" })).toMatchObject({ code: "DATA_LOSS", message });
    const { result, events } = await run({ dir: two, does: "loses a part", failOnDataLoss: false });
    expect(result).toMatchObject({ records: 170, rows: 170 });
    expect(events.filter(({ type }) => type === "lost")).toMatchObject([{ lost: [{ partition: 1, fromOffset: 20n }] }]);
  });

  test("goes on with other threads after an error that passes, when some do not let go", async () => {
    const dir = folder();
    const { result, events } = await run({ dir, does: "fails once" }, { threads: 3 });
    expect(events.filter(({ type }) => type === "retrying")).toMatchObject([{ error: { message: "not now" } }]);
    expect(result).toMatchObject({ batches: 1, rows: 180 });
    expect(rowsIn(dir)).toHaveLength(180);
  });

  test("has its sink give up a batch only when it is not in the middle of a write", async () => {
    const dir = folder(5);
    const settings = { dir, does: "fails amid a write" } as const;
    const steps: string[] = [];
    const write: BatchWrite = {
      async write() {
        steps.push("write");
        writeFileSync(join(dir, "writing"), "");
        await delay(150);
        steps.push("written");
      },
      commit: async () => {},
      [Symbol.asyncDispose]: async () => void steps.push("thrown away"),
    };
    await expect(runJob(writingTo(settings, write), { threads: 2, jobFile })).rejects.toThrow("too early");
    expect(steps).toEqual(["write", "written", "thrown away"]);
  });

  const replaced = [
    { threads: 1, lines: 9 },
    { threads: 2, lines: 9 },
    { threads: 1, lines: 3 },
    { threads: 2, lines: 3 },
  ];
  describe.each(replaced)(
    "whose log is another one of $lines lines after its plan, on $threads",
    ({ threads, lines }) => {
      /** A folder in which a batch of five records of each partition is in hand. */
      async function withPlan(settings: Omit<ThreadsJobSettings, "dir">): Promise<string> {
        const dir = folder(5);
        const write: BatchWrite = {
          write: async () => {},
          commit: () => Promise.reject(new Error("enough")),
          [Symbol.asyncDispose]: async () => {},
        };
        await expect(runJob(writingTo({ dir, ...settings }, write), { threads, jobFile })).rejects.toThrow("enough");
        writeFileSync(join(dir, "in", "1.ndjson"), '{"p":1,"n":100}\n'.repeat(lines));
        return dir;
      }

      test("goes on without what it planned of it, if it may", async () => {
        const dir = await withPlan({ failOnDataLoss: false });
        const { events } = await run({ dir, failOnDataLoss: false }, { threads });
        const lost = [{ topic: "in", partition: 1, fromOffset: 0n, untilOffset: 5n }];
        expect(events.filter(({ type }) => type === "lost")).toMatchObject([{ batchId: 0, lost }]);
        // What is new behind the plan's end is read.
        const behind = Math.max(0, lines - 5);
        expect(rowsIn(dir).filter((row) => row["p"] === 1)).toHaveLength(behind);
        expect(rowsIn(dir)).toHaveLength(10 + behind);
      });

      test("is refused, if it may not", async () => {
        const dir = await withPlan({});
        expect(await failure({ dir }, { threads })).toMatchObject({ code: "DATA_LOSS" });
        expect(rowsIn(dir)).toEqual([]);
      });
    },
  );

  test("reads with readers that are opened anew in each term, like its own", async () => {
    const dir = folder(5);
    let commits = 0;
    const write: BatchWrite = {
      write: async () => {},
      async commit() {
        if (++commits === 1) throw new TransientError("away");
      },
      [Symbol.asyncDispose]: async () => {},
    };
    await runJob(writingTo({ dir, notesOpenings: true }, write), { threads: 3, jobFile });
    expect(commits).toBe(2);
    const openings = readFileSync(join(dir, "openings"), "utf8").trimEnd().split("\n");
    const counts = Object.values(Object.groupBy(openings, (thread) => thread)).map((of) => of?.length);
    expect(counts).toEqual([2, 2, 2, 2]);
  });

  test("runs where Node was given a flag that threads refuse to be given", async () => {
    const { execArgv } = process;
    process.execArgv = [...execArgv, "--max-old-space-size=4000"];
    try {
      expect(await run({ dir: folder() })).toMatchObject({ result: { rows: 180 } });
    } finally {
      process.execArgv = execArgv;
    }
  });

  test("runs on one thread, and says so, when its source is in memory", async () => {
    const sink = memorySink();
    const source = memorySource({ records: [1, 2] });
    const job = defineJob({
      name: "m",
      source,
      pipeline: (r$) => r$,
      sink,
      checkpoint: "memory:",
      trigger: "once",
      threads: 2,
    });
    const warnings: string[] = [];
    await runJob(job, { onEvent: (event) => void (event.type === "warning" && warnings.push(event.message)) });
    expect(sink.rows).toHaveLength(2);
    expect(warnings).toEqual([expect.stringContaining("one thread, not 2")]);
  });
});

describe("on threads, a job fails with an error that says where, and not the process, when its code", () => {
  test("throws at a record", async () => {
    const dir = folder();
    expect(await failure({ dir, does: "odd ones fail" })).toMatchObject({
      name: "PipelineError",
      code: "PIPELINE",
      message: expect.stringMatching(/^the pipeline failed at in:\d:3: n is 3$/),
      hint: expect.stringContaining("onPoisonRecord"),
      cause: { name: "RangeError", stack: expect.stringContaining("threads-job.ts") },
    });
  });

  test("gets a record that cannot be decoded", async () => {
    const dir = folder();
    writeFileSync(join(dir, "in", "2.ndjson"), '{"p":2,"n":0}\n{"p":2,\n');
    const error = await failure({ dir });
    expect(error).toMatchObject({ name: "PoisonRecordError", topic: "in", partition: 2, offset: 1n });
  });

  test("ends its thread", async () => {
    expect(await failure({ dir: folder(), does: "exits" })).toMatchObject({
      code: "THREAD_EXIT",
      message: "the job's code ended its thread with process.exit(3) while it ran in:1:0-60",
    });
  });

  test("throws where nothing catches it", async () => {
    expect(await failure({ dir: folder(5_000), does: "fails later" })).toMatchObject({
      code: expect.stringMatching(/THREAD_DIED|PHASE_TIMEOUT/),
      message: expect.stringContaining("nobody waits for me"),
    });
  });

  test.each(["hangs there", "never completes"] as const)("%s", async (does) => {
    const error = await failure({ dir: folder(), does, options: { phaseTimeoutMs: 700 } });
    expect(error).toMatchObject({ name: "PipelineError", code: "PHASE_TIMEOUT" });
  });

  test.each(["functions there", "instances there"] as const)("gives a function sink %s", async (does) => {
    expect(await failure({ dir: folder(), does, to: "function" })).toMatchObject({
      code: "NOT_CLONEABLE",
      message: expect.stringContaining("a row at in:1:25 cannot be handed to the main thread"),
      hint: expect.stringContaining("threads: 1"),
    });
  });

  test("listens to its events, and throws there", async () => {
    const onEvent = ({ type }: JobEvent) => {
      if (type === "progress") throw new RangeError("I do not like it");
    };
    expect(await failure({ dir: folder() }, { onEvent })).toMatchObject({ message: "I do not like it" });
  });

  test("hangs, and the run is aborted", async () => {
    const abort = new AbortController();
    const running = failure(
      { dir: folder(), does: "hangs there" },
      {
        abortSignal: abort.signal,
        onEvent: (event) => {
          if (event.type === "planned") setTimeout(() => abort.abort(new Error("enough")), 300);
        },
      },
    );
    expect(await running).toMatchObject({ message: "enough" });
  });
});

describe("threads are refused", () => {
  test.each([0, 65, 1.5, "two"])("when there are to be %s of them", async (threads) => {
    expect(() => defineJob({ ...plain(), threads: threads as number })).toThrow(
      /threads must be a whole number from 1 to 64/,
    );
    await expect(runJob(defineJob(plain()), { threads: threads as number })).rejects.toThrow(/from 1 to 64/);
  });

  test("when the job's file is not known, with what to write", async () => {
    const error = await runJob(threadsJob({ dir: folder() }), { threads: 2 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG", hint: expect.stringContaining("jobFile: new URL(") });
  });

  test("when the file holds another job", async () => {
    const job = threadsJob({ dir: folder() });
    const other = { ...job, name: "other", definition: { ...job.definition, name: "other" } };
    Object.defineProperty(other, Symbol.for("tidemark.job"), { value: true });
    const error = await runJob(other, { threads: 2, jobFile }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG", message: expect.stringContaining('holds the job "threads"') });
  });
});

function plain() {
  const pipeline = <R>(records$: R) => records$;
  return { name: "plain", source: memorySource({ records: [1] }), pipeline, sink: memorySink() };
}
