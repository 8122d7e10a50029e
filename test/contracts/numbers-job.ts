// A job of eight batches whose records take a while, from memory to wherever a test wants its rows, and what it tells
// while it runs.
import { map } from "rxjs";
import { expect } from "vitest";
import { memorySource } from "../../connectors/memory/index.ts";
import {
  type CheckpointStore,
  defineJob,
  type Job,
  type JobEvent,
  mapAsync,
  type RunResult,
  runJob,
  type Sink,
  type TidemarkError,
} from "../../runtime/index.ts";
import { waitUntil } from "../servers/wait-until.ts";

const RECORDS = 2_000;
const BATCHES = 8;
const RECORD_TAKES_MS = 30;
const AT_ONCE = 50;
const { signal } = new AbortController();

export interface NumberRow {
  /** The number with six digits, so that its order is that of the numbers. */
  readonly key: string;
  readonly number: number;
}

export interface NumbersJobOptions {
  readonly name: string;
  readonly checkpoint: CheckpointStore;
  readonly sink: Sink<NumberRow>;
  /** The numbers that the sink's system has now, in its order. */
  readonly numbers: () => Promise<readonly number[]>;
}

export interface NumbersJob {
  readonly name: string;
  readonly job: Job;
  readonly running: Promise<RunResult>;
  /** What it said before it tried again. */
  retries(): TidemarkError[];
  /** Waits until so many batches are completed, over all its tries. */
  completed(batches: number): Promise<void>;
  /** Waits until it says that it tries again. */
  saysSo(): Promise<void>;
  /** Waits for its end: it has got on by itself, and each number is there once. */
  endsWell(): Promise<void>;
}

/** Starts it. */
export function startNumbersJob({ name, checkpoint, sink, numbers }: NumbersJobOptions): NumbersJob {
  const job = defineJob({
    name,
    source: memorySource({ records: allNumbers() }),
    pipeline: (records$) =>
      records$.pipe(
        mapAsync({ concurrency: AT_ONCE }, async (record) => {
          await new Promise((resolve) => setTimeout(resolve, RECORD_TAKES_MS));
          return record;
        }),
        map(({ value }) => ({ key: `${value}`.padStart(6, "0"), number: value })),
      ),
    sink,
    checkpoint,
    trigger: "available-now",
    maxOffsetsPerBatch: RECORDS / BATCHES,
  });
  const events: JobEvent[] = [];
  const running = runJob(job, { onEvent: (event) => events.push(event) });
  running.catch(() => undefined);
  const retries = () => events.flatMap((event) => (event.type === "retrying" ? [event.error as TidemarkError] : []));
  // A run that has failed never will: its failure says more than the time that was waited in vain.
  const until = async (isSo: () => boolean, what: string) => {
    const comes = waitUntil(isSo, { what, withinMs: 60_000, signal });
    await Promise.race([comes, running.then(() => comes)]);
  };
  return {
    name,
    job,
    running,
    retries,
    completed: (batches) => until(() => countOf(events, "completed") >= batches, `${batches} batches are completed`),
    saysSo: () => until(() => retries().length > 0, "the job says that it tries again"),
    async endsWell() {
      expect(await running).toMatchObject({ reason: "nothing-left" });
      for (const error of retries()) expect(error.retryable).toBe(true);
      expect(await numbers()).toEqual(allNumbers());
    },
  };
}

function countOf(events: readonly JobEvent[], type: JobEvent["type"]): number {
  return events.filter((event) => event.type === type).length;
}

function allNumbers(): number[] {
  return Array.from({ length: RECORDS }, (_, number) => number);
}
