// A job of eight batches whose records take a while, from memory to a table of HBase, with its checkpoint there too,
// and what it tells while it runs.
import { map } from "rxjs";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { hbaseSink } from "../../connectors/hbase/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, type JobEvent, mapAsync, type RunResult, runJob, type TidemarkError } from "../../runtime/index.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestCluster } from "./cluster.ts";

const RECORDS = 2_000;
const { signal } = new AbortController();

export interface NumbersJob {
  readonly name: string;
  /** Where its rows go. */
  readonly table: string;
  readonly running: Promise<RunResult>;
  /** What it said before it tried again. */
  retries(): TidemarkError[];
  /** Waits until so many batches are completed. */
  completed(batches: number): Promise<void>;
  /** The numbers in the table's rows, in order. */
  numbers(): Promise<number[]>;
}

/** Starts it. */
export async function startNumbers(test: TestCluster): Promise<NumbersJob> {
  const name = newName("numbers");
  await test.cluster.ensureTable(name, ["f"], signal);
  const { zookeeper, table, offsetsTable } = test;
  const job = defineJob({
    name,
    source: memorySource({ partitions: [0, 1].map((half) => numbersOf(half)) }),
    pipeline: (records$) =>
      records$.pipe(
        mapAsync({ concurrency: 50 }, async (record) => {
          await new Promise((resolve) => setTimeout(resolve, 30));
          return record;
        }),
        map(({ value }) => ({ key: `${value}`.padStart(6, "0"), number: value })),
      ),
    sink: hbaseSink({ zookeeper, table: name, row: "key" }),
    checkpoint: hbaseStore({ zookeeper, table, offsetsTable }),
    trigger: "available-now",
    maxOffsetsPerBatch: RECORDS / 8,
  });
  const events: JobEvent[] = [];
  const running = runJob(job, { onEvent: (event) => events.push(event) });
  running.catch(() => undefined);
  const countOf = (type: JobEvent["type"]) => events.filter((event) => event.type === type).length;
  return {
    name,
    table: name,
    running,
    retries: () => events.flatMap((event) => (event.type === "retrying" ? [event.error as TidemarkError] : [])),
    completed: (batches) =>
      waitUntil(() => countOf("completed") >= batches, { what: `${batches} batches`, withinMs: 30_000, signal }),
    async numbers() {
      const all = { from: Buffer.alloc(0), until: Buffer.alloc(0), limit: 10 * RECORDS, family: "f" };
      const rows = await test.cluster.table(name).scan(all, signal);
      return rows.map(({ cells }) => Number(Buffer.from(cells[0]?.value ?? []).toString()));
    },
  };
}

/** What its table holds when it is done. */
export const allNumbers = Array.from({ length: RECORDS }, (_, number) => number);

function numbersOf(half: number): number[] {
  return Array.from({ length: RECORDS / 2 }, (_, index) => 2 * index + half);
}
