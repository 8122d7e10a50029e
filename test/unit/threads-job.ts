// The job of the tests of threads: both the test and each of its threads load it, and find in the environment what to
// do. Its input is p.ndjson files of lines { p, n }.
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { filter, map, type Observable, reduce, tap } from "rxjs";
import {
  DataLossError,
  deadLetter,
  defineJob,
  type Job,
  type JobOptions,
  json,
  mapAsync,
  type PoisonPolicy,
  type Source,
  type SourceRecord,
  type Task,
  TransientError,
} from "tidemark";
import { fileSink, fileSource } from "tidemark/connectors/files";
import { postgresSink } from "tidemark/connectors/postgres";

export interface Line {
  readonly p: number;
  readonly n: number;
}

/** What a test may set; plain data, for it goes through the environment. */
export interface ThreadsJobSettings {
  readonly dir: string;
  readonly does?: keyof typeof pipelines;
  /** Default "files". */
  readonly to?: "files" | "combine" | "function" | { readonly url: string; readonly table: string };
  readonly poison?: "skip" | "dead-letters";
  readonly failOnDataLoss?: boolean;
  /** The source notes each thread that opens it, a line each, in "openings". */
  readonly notesOpenings?: boolean;
  readonly options?: Partial<Pick<JobOptions, "maxOffsetsPerBatch" | "ordered" | "phaseTimeoutMs" | "threads">>;
}

type Lines = Observable<SourceRecord<Line, null>>;

/** A class, so that its instances are no plain data. */
class Row {
  readonly n: number;
  constructor(n: number) {
    this.n = n;
  }
}

const rowsOf = (records$: Lines) => records$.pipe(map(({ value, offset }) => ({ ...value, offset: String(offset) })));
/** At this line of partition 1 something happens. */
const isTheLine = ({ p, n }: Line) => p === 1 && n === 25;
const atTheLine = (happens: () => void) => (records$: Lines) =>
  rowsOf(records$.pipe(tap(({ value }) => (isTheLine(value) ? happens() : undefined))));

function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const pipelines = {
  rows: rowsOf,
  /** The first partitions take longest, so that rows of later ones are there before. */
  "rows, late": (records$: Lines, { partition }: Task) =>
    rowsOf(
      records$.pipe(
        mapAsync({ concurrency: 1 }, async (record) => {
          if (record.value.n === 0) await delay(120 - 40 * partition);
          return record;
        }),
      ),
    ),
  "the thread of each row": (records$: Lines, { fromOffset }: Task) =>
    rowsOf(records$).pipe(map((row) => ({ ...row, threadId, from: String(fromOffset) }))),
  "odd ones fail": (records$: Lines) =>
    rowsOf(
      records$.pipe(
        tap(({ value: { n } }) => {
          if (n % 10 === 3) throw new RangeError(`n is ${n}`);
        }),
      ),
    ),
  exits: atTheLine(() => process.exit(3)),
  "hangs there": atTheLine(() => spin(Number.POSITIVE_INFINITY)),
  "fails later": atTheLine(() => setTimeout(() => Promise.reject(new Error("nobody waits for me")))),
  "fills its memory": atTheLine(() => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(100_000).fill(kept.length));
  }),
  "never completes": (records$: Lines) =>
    rowsOf(records$).pipe(mapAsync({ concurrency: 1 }, () => new Promise(() => {}))),
  "functions there": (records$: Lines) =>
    records$.pipe(map(({ value }) => (isTheLine(value) ? { ...value, f: () => value } : { ...value }))),
  "instances there": (records$: Lines) => records$.pipe(map(({ value }) => (isTheLine(value) ? new Row(1) : value))),
  "a number too large there": (records$: Lines) =>
    records$.pipe(map(({ value }) => (isTheLine(value) ? { ...value, n: 1_000_000 } : { ...value }))),
  "whole records": (records$: Lines) => records$,
  /** Once it says that a part of partition 1 is gone. */
  "loses a part": (records$: Lines, { partition }: Task) => {
    const marker = join(settings.dir, "lost");
    if (partition === 1 && !existsSync(marker)) {
      writeFileSync(marker, "");
      const part = { topic: "in", partition: 1, fromOffset: 20n, untilOffset: 30n };
      throw new DataLossError("a part was deleted", [part], { hint: "bring it back" });
    }
    return rowsOf(records$);
  },
  /** Partition 1 fails when the rows of partition 0 are being written. */
  "fails amid a write": (records$: Lines, { partition }: Task) =>
    rowsOf(
      records$.pipe(
        mapAsync({ concurrency: 1 }, async (record) => {
          if (partition !== 1) return record;
          while (!existsSync(join(settings.dir, "writing"))) await delay(5);
          throw new RangeError("too early");
        }),
      ),
    ),
  /** The first time, partition 1 fails while the others hold their threads for long. */
  "fails once": (records$: Lines, { partition }: Task) => {
    const marker = join(settings.dir, "failed");
    if (existsSync(marker)) return rowsOf(records$);
    if (partition !== 1) return rowsOf(records$.pipe(tap(() => spin(1_600))));
    writeFileSync(marker, "");
    throw new TransientError("not now");
  },
} satisfies Record<string, (records$: Lines, task: Task) => Observable<unknown>>;

/** What function sinks were given in this thread. */
export const given: { readonly rows: readonly unknown[]; readonly batchId: number; readonly threadId: number }[] = [];

function poisonPolicy({ poison, dir }: ThreadsJobSettings): PoisonPolicy {
  return poison === "dead-letters" ? deadLetter(fileSink({ dir: join(dir, "dead") })) : (poison ?? "fail");
}

/** Makes the job. */
export function threadsJob(settings: ThreadsJobSettings): Job {
  const { dir, does = "rows", to = "files", failOnDataLoss = true, notesOpenings = false, options } = settings;
  const source = fileSource({ dir: join(dir, "in"), value: json<Line>(), failOnDataLoss });
  const sink = fileSink({ dir: join(dir, "out") });
  const common = {
    name: "threads",
    source: notesOpenings ? noting(source, join(dir, "openings")) : source,
    pipeline: pipelines[does] as (records$: Lines, task: Task) => Observable<Line>,
    checkpoint: `file:${join(dir, "checkpoint")}`,
    trigger: "available-now" as const,
    onPoisonRecord: poisonPolicy(settings),
    ...options,
  };
  if (typeof to === "object") return defineJob({ ...common, sink: postgresSink(to) });
  switch (to) {
    case "function":
      return defineJob({
        ...common,
        sink: (rows, { batchId }) => void given.push({ rows: [...rows], batchId, threadId }),
      });
    case "combine":
      return defineJob({ ...common, combine: evenOnes, sink });
    case "files":
      return defineJob({ ...common, sink });
  }
}

function noting<R>(source: Source<R>, path: string): Source<R> {
  const open: Source<R>["open"] = (context, signal) => {
    appendFileSync(path, `${threadId}\n`);
    return source.open(context, signal);
  };
  return { ...source, open };
}

function evenOnes(rows$: Observable<Line>): Observable<object> {
  return rows$.pipe(
    filter(({ n }) => n % 2 === 0),
    reduce((all: string[], { p, n }) => [...all, `${p}-${n}`], []),
    map((all) => ({ all: all.join(" "), threadId })),
  );
}

const settings: ThreadsJobSettings = JSON.parse(process.env["THREADS_JOB"] ?? '{"dir":"."}');

// biome-ignore lint/style/noDefaultExport: a job file has one
export default threadsJob(settings);
