// The programs beside the run: history, offsets, replay, reset, doctor, and moving a checkpoint.
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { map, type Observable, skip } from "rxjs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileStore } from "../../checkpoints/file.ts";
import { fileSink, fileSource } from "../../connectors/files/index.ts";
import { memorySink } from "../../connectors/memory/index.ts";
import {
  batches,
  CheckpointMissingError,
  type CheckpointStore,
  ConfigError,
  copyCheckpoint,
  DataLossError,
  defineJob,
  doctor,
  FencedError,
  formatRange,
  json,
  offsets,
  replayJob,
  resetJob,
  runJob,
} from "../../runtime/index.ts";

let baseDir: string;
beforeEach(() => {
  baseDir = mkdtempSync(join(tmpdir(), "tidemark-programs-"));
});
afterEach(() => rmSync(baseDir, { recursive: true, force: true }));

const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `{"id":${from + index},"at":${1_000 * (from + index)}}\n`).join("");

/** Partition 0 has ids 0…9, partition 1 ids 100…104. */
function layOut(): void {
  const dir = join(baseDir, "in");
  mkdirSync(dir);
  writeFileSync(join(dir, "0.ndjson"), lines(0, 10));
  writeFileSync(join(dir, "1.ndjson"), lines(100, 5));
}

interface JobChange {
  readonly limit?: number;
  readonly fails?: (id: number) => boolean;
}

function jobOf({ limit = 6, fails = () => false }: JobChange = {}) {
  return defineJob({
    name: "ids",
    source: fileSource({
      dir: "in",
      value: json<{ id: number; at: number }>(),
      timestamp: ({ at }) => at,
    }),
    pipeline: (records$) =>
      records$.pipe(
        map(({ value: { id } }) => {
          if (fails(id)) throw new Error(`failing at ${id}`);
          return { id };
        }),
      ),
    sink: fileSink({ dir: "out", format: "ndjson" }),
    trigger: "available-now",
    maxOffsetsPerBatch: limit,
  });
}

function written(dir = "out"): number[] {
  const files = readdirSync(join(baseDir, dir)).filter((name) => /^\d.*\.ndjson$/.test(name));
  return files.sort().flatMap((name) => {
    const text = readFileSync(join(baseDir, dir, name), "utf8");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as { id: number }).id]));
  });
}
const allIds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 101, 102, 103, 104];
const sorted = (ids: number[]) => ids.toSorted((a, b) => a - b);

describe("history and offsets", () => {
  test("batches are told newest first, with ranges, counts and times", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const history = await batches(jobOf(), { baseDir });
    expect(history.map(({ batchId, state }) => `${batchId} ${state}`)).toEqual([
      "2 completed",
      "1 completed",
      "0 completed",
    ]);
    expect(history[2]?.ranges.map(formatRange)).toEqual(["in:0:0-4", "in:1:0-2"]);
    expect(history[2]?.counts).toMatchObject({ records: 6, rows: 6 });
    expect(history[2]?.completedAtMs).toBeGreaterThanOrEqual(history[2]?.plannedAtMs ?? Number.NaN);
    expect(await batches(jobOf(), { baseDir, limit: 1 })).toHaveLength(1);
  });

  test("a batch in hand is planned, and the current offset is ahead of the committed one", async () => {
    layOut();
    await expect(runJob(jobOf({ fails: (id) => id === 5 }), { baseDir })).rejects.toThrow("failing at 5");
    const [newest] = await batches(jobOf(), { baseDir });
    expect(newest).toMatchObject({ batchId: 1, state: "planned" });
    expect(await offsets(jobOf(), { baseDir })).toMatchObject([
      { partition: 0, earliest: 0n, committed: 4n, current: 8n, latest: 10n, lag: 6n },
      { partition: 1, earliest: 0n, committed: 2n, current: 4n, latest: 5n, lag: 3n },
    ]);
  });

  test("a job that never ran has no batches and no committed offsets", async () => {
    layOut();
    expect(await batches(jobOf(), { baseDir })).toEqual([]);
    expect(await offsets(jobOf(), { baseDir })).toMatchObject([{ committed: undefined, lag: 10n }, { lag: 5n }]);
  });
});

describe("replay", () => {
  test("gives the same bytes again beside the live job, whose position does not move", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const before = await offsets(jobOf(), { baseDir });
    const sink = fileSink({ dir: "again", format: "ndjson" });
    expect(await replayJob(jobOf(), { baseDir, batches: { from: 0, to: 2 }, sink })).toEqual({
      batches: 3,
      records: 15,
      rows: 15,
      differing: [],
    });
    const bytes = (dir: string) =>
      readdirSync(join(baseDir, dir))
        .filter((name) => name.endsWith(".ndjson"))
        .sort()
        .map((name) => readFileSync(join(baseDir, dir, name), "utf8"));
    expect(bytes("again")).toEqual(bytes("out"));
    expect(await offsets(jobOf(), { baseDir })).toEqual(before);
  });

  test("takes any ranges, and a time", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const sink = memorySink<{ id: number }>();
    const range = { topic: "in", partition: 1, fromOffset: 1n, untilOffset: 3n };
    await replayJob(jobOf(), { baseDir, ranges: [range], sink });
    expect(sink.rows).toEqual([{ id: 101 }, { id: 102 }]);
    const since = replayJob(jobOf(), { baseDir, sinceMs: Date.now() + 60_000, sink: undefined });
    await expect(since).rejects.toThrow(ConfigError);
    expect(await replayJob(jobOf(), { baseDir, sinceMs: 0, sink: undefined })).toMatchObject({ batches: 3, rows: 15 });
  });

  test("says what is gone", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    writeFileSync(join(baseDir, "in", "0.ndjson"), lines(0, 3));
    const replay = replayJob(jobOf(), { baseDir, batches: { from: 0, to: 0 }, sink: undefined });
    await expect(replay).rejects.toThrow(DataLossError);
    await expect(replay).rejects.toThrow(/in:0:3-4/);
    writeFileSync(join(baseDir, "in", "0.ndjson"), lines(50, 10));
    const other = replayJob(jobOf(), { baseDir, batches: { from: 0, to: 0 }, sink: undefined });
    await expect(other).rejects.toThrow(/is not what was read/);
  });

  test("batches outside of the history are an error that says which are kept", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const replay = replayJob(jobOf(), { baseDir, batches: { from: 0, to: 9 }, sink: undefined });
    await expect(replay).rejects.toThrow("batches 0 to 2 are kept");
  });

  test("batches whose rows are fewer or more than when they ran are told", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const { definition } = jobOf();
    const pipeline = (records$: Observable<unknown>) => definition.pipeline(records$, undefined as never).pipe(skip(1));
    const fewer = defineJob({ ...definition, pipeline } as never);
    expect(await replayJob(fewer, { baseDir, sinceMs: 0, sink: undefined })).toMatchObject({ differing: [0, 1, 2] });
  });
});

describe("reset", () => {
  const moves = (changes: readonly { partition: number; from: bigint | undefined; to: bigint }[]) =>
    changes.map(({ partition, from, to }) => `${partition}: ${from} → ${to}`);

  test.each([
    ["earliest", "earliest", ["0: 10 → 0", "1: 5 → 0"]],
    ["latest", "latest", ["0: 10 → 10", "1: 5 → 5"]],
    ["a time", { timestampMs: 7_000 }, ["0: 10 → 7", "1: 5 → 0"]],
    ["before a batch", { beforeBatch: 1 }, ["0: 10 → 4", "1: 5 → 2"]],
    ["one partition's offset", { offsets: { in: { 1: 2n } } }, ["0: 10 → 10", "1: 5 → 2"]],
    ["a shift back, held to the log", { shiftBy: -7n }, ["0: 10 → 3", "1: 5 → 0"]],
  ] as const)("to %s: a dry run tells the change, execute makes it", async (_, to, expected) => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const dry = await resetJob(jobOf(), { baseDir, to, execute: false });
    expect(moves(dry.changes)).toEqual(expected);
    expect((await offsets(jobOf(), { baseDir })).map(({ committed }) => committed)).toEqual([10n, 5n]);
    const done = await resetJob(jobOf(), { baseDir, to, execute: true });
    expect(moves(done.changes)).toEqual(expected);
    expect((await offsets(jobOf(), { baseDir })).map(({ committed }) => String(committed))).toEqual(
      expected.map((line) => line.split(" → ")[1]),
    );
  });

  test("after a reset the job reads from there, under new batchIds", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    await resetJob(jobOf(), { baseDir, to: { offsets: { in: { 0: 8n } } }, execute: true });
    expect(await runJob(jobOf(), { baseDir })).toMatchObject({ batches: 1, rows: 2 });
    expect(sorted(written())).toEqual(sorted([...allIds, 8, 9]));
    expect((await batches(jobOf(), { baseDir }))[0]?.batchId).toBe(3);
  });

  test("finishes the batch in hand first", async () => {
    layOut();
    await expect(runJob(jobOf({ fails: (id) => id === 5 }), { baseDir })).rejects.toThrow("failing at 5");
    const dry = await resetJob(jobOf(), { baseDir, to: "latest", execute: false });
    expect(dry.inHand).toEqual({ batchId: 1, becomes: "finished" });
    await resetJob(jobOf(), { baseDir, to: "latest", execute: true });
    expect(sorted(written())).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102, 103]);
    expect(await runJob(jobOf(), { baseDir })).toMatchObject({ batches: 0 });
  });

  test("abandons the batch in hand when told to, and never uses its number again", async () => {
    layOut();
    await expect(runJob(jobOf({ fails: (id) => id === 5 }), { baseDir })).rejects.toThrow("failing at 5");
    const result = await resetJob(jobOf(), { baseDir, to: "earliest", execute: true, abandonInHand: true });
    expect(result.inHand).toEqual({ batchId: 1, becomes: "abandoned" });
    await runJob(jobOf(), { baseDir });
    expect((await batches(jobOf(), { baseDir })).map(({ batchId, state }) => `${batchId} ${state}`)).toEqual([
      "4 completed",
      "3 completed",
      "2 completed",
      "1 abandoned",
      "0 completed",
    ]);
  });

  test("is the remedy for a log that was replaced", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    writeFileSync(join(baseDir, "in", "0.ndjson"), lines(500, 3));
    const run = runJob(jobOf(), { baseDir });
    await expect(run).rejects.toThrow(DataLossError);
    await expect(run).rejects.toThrow(expect.objectContaining({ hint: expect.stringContaining("runtime reset") }));
    await resetJob(jobOf(), { baseDir, to: "earliest", execute: true });
    await runJob(jobOf(), { baseDir });
    expect(
      written()
        .slice(-8)
        .filter((id) => id >= 500),
    ).toEqual([500, 501, 502]);
  });

  test("is refused while the job runs, and for a job that never ran", async () => {
    layOut();
    await expect(resetJob(jobOf(), { baseDir, to: "earliest", execute: true })).rejects.toThrow(CheckpointMissingError);
    const stop = new AbortController();
    const live = defineJob({ ...jobOf().definition, trigger: "continuous" } as never);
    let refused: Promise<unknown> | undefined;
    await runJob(live, {
      baseDir,
      signal: stop.signal,
      onEvent: async (event) => {
        if (event.type !== "idle" || refused !== undefined) return;
        refused = resetJob(jobOf(), { baseDir, to: "earliest", execute: true }).finally(() => stop.abort());
        refused.catch(() => {});
      },
    });
    await expect(refused).rejects.toThrow(/is running/);
  });
});

describe("moving a checkpoint", () => {
  test("history and lineage go along, the job resumes there, and nobody goes on at the old place", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const before = await batches(jobOf(), { baseDir });
    const moved = await copyCheckpoint({ jobName: "ids", from: "file:.tidemark", to: "file:elsewhere", baseDir });
    expect(moved).toMatchObject({ lineageId: before[0]?.lineageId, nextBatchId: 3 });
    const there = { baseDir, checkpoint: "file:elsewhere" };
    expect(await batches(jobOf(), there)).toEqual(before);
    appendFileSync(join(baseDir, "in", "0.ndjson"), lines(10, 2));
    const old = runJob(jobOf(), { baseDir });
    await expect(old).rejects.toThrow(/has moved to/);
    expect(await runJob(jobOf(), there)).toMatchObject({ batches: 1, rows: 2 });
    expect(sorted(written())).toEqual(sorted([...allIds, 10, 11]));
  });

  test("what is read at the old place is said to have moved", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const warnings: string[] = [];
    const options = { baseDir, onWarning: (message: string) => warnings.push(message) };
    await batches(jobOf(), options);
    expect(warnings).toEqual([]);
    await copyCheckpoint({ jobName: "ids", from: "file:.tidemark", to: "file:elsewhere", baseDir });
    await batches(jobOf(), options);
    await offsets(jobOf(), options);
    const told = "its checkpoint has moved to file:elsewhere: this is how it stood when it left";
    expect(warnings).toEqual([told, told]);
  });

  test("a batch in hand moves along and runs over the same ranges", async () => {
    layOut();
    await expect(runJob(jobOf({ fails: (id) => id === 5 }), { baseDir })).rejects.toThrow("failing at 5");
    await copyCheckpoint({ jobName: "ids", from: "file:.tidemark", to: "file:elsewhere", baseDir });
    await runJob(jobOf({ limit: 3 }), { baseDir, checkpoint: "file:elsewhere" });
    expect(sorted(written())).toEqual(allIds);
    const history = await batches(jobOf(), { baseDir, checkpoint: "file:elsewhere" });
    expect(history.find(({ batchId }) => batchId === 1)?.ranges.map(formatRange)).toEqual(["in:0:4-8", "in:1:2-4"]);
  });

  test("there and back again: the epochs go on rising, so that sinks take the newer writer for the newer", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    await copyCheckpoint({ jobName: "ids", from: "file:.tidemark", to: "file:elsewhere", baseDir });
    appendFileSync(join(baseDir, "in", "0.ndjson"), lines(10, 1));
    let epoch = -1n;
    const onEvent = (event: { type: string; epoch?: bigint }) => {
      if (event.type !== "started" || event.epoch === undefined) return;
      expect(event.epoch > epoch).toBe(true);
      epoch = event.epoch;
    };
    await runJob(jobOf(), { baseDir, checkpoint: "file:elsewhere", onEvent });
    await copyCheckpoint({ jobName: "ids", from: "file:elsewhere", to: "file:.tidemark", baseDir });
    appendFileSync(join(baseDir, "in", "0.ndjson"), lines(11, 1));
    expect(await runJob(jobOf(), { baseDir, onEvent })).toMatchObject({ rows: 1 });
    expect(sorted(written())).toEqual(sorted([...allIds, 10, 11]));
    expect((await batches(jobOf(), { baseDir })).map(({ batchId }) => batchId)).toEqual([4, 3, 2, 1, 0]);
  });

  test("a place that is in use is never overwritten, and a checkpoint that is not there is told", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    await runJob(jobOf(), { baseDir, checkpoint: "file:elsewhere" });
    const copy = (jobName: string) =>
      copyCheckpoint({ jobName, from: "file:.tidemark", to: "file:elsewhere", baseDir });
    await expect(copy("ids")).rejects.toThrow(/already has a checkpoint/);
    await expect(copy("idz")).rejects.toThrow(expect.objectContaining({ hint: "jobs there: ids" }));
  });

  test("fences a run whose heartbeat could not be seen", async () => {
    layOut();
    const moveAwayRegardless = async () => {
      await using store = fileStore({ dir: ".tidemark", baseDir });
      const deaf: CheckpointStore = {
        url: store.url,
        maxEntryBytes: store.maxEntryBytes,
        bounds: (...args) => store.bounds(...args),
        read: (...args) => store.read(...args),
        takeOver: (...args) => store.takeOver(...args),
        heartbeat: async () => undefined,
        jobs: (signal) => store.jobs(signal),
        examine: (signal) => store.examine(signal),
        [Symbol.asyncDispose]: async () => {},
      };
      await copyCheckpoint({ jobName: "ids", from: deaf, to: "file:elsewhere", baseDir });
    };
    const live = defineJob({ ...jobOf().definition, trigger: "continuous" } as never);
    let moved = false;
    const run = runJob(live, {
      baseDir,
      onEvent: (event) => {
        if (event.type !== "idle" || moved) return;
        moved = true;
        void moveAwayRegardless().then(() => appendFileSync(join(baseDir, "in", "0.ndjson"), lines(10, 1)));
      },
    });
    await expect(run).rejects.toThrow(FencedError);
    expect(sorted(written())).toEqual(allIds);
  });
});

describe("doctor", () => {
  test("says that all is well, with what it looked at", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    const findings = await doctor(jobOf(), { baseDir });
    expect(findings.map(({ check, status }) => `${check} ${status}`)).toEqual([
      "store ok",
      "checkpoint ok",
      "other runs ok",
      "source ok",
      "positions ok",
      "sink ok",
    ]);
  });

  test("finds damage, a log that does not fit, and says what to type", async () => {
    layOut();
    await runJob(jobOf(), { baseDir });
    writeFileSync(join(baseDir, "in", "1.ndjson"), lines(700, 2));
    const lost = (await doctor(jobOf(), { baseDir })).find(({ check }) => check === "positions");
    expect(lost).toMatchObject({ status: "problem", detail: expect.stringContaining("in:1:2-5") });
    expect(lost?.hint).toContain("runtime reset");
    const jobDir = join(baseDir, ".tidemark", "ids");
    const log = join(jobDir, readdirSync(jobDir).find((name) => name.startsWith("log-")) ?? "");
    const entry = join(log, readdirSync(log).sort()[2] ?? "");
    writeFileSync(entry, readFileSync(entry, "utf8").slice(0, -4));
    const damage = (await doctor(jobOf(), { baseDir })).find(({ check }) => check === "checkpoint");
    expect(damage).toMatchObject({ status: "problem" });
  });
});
