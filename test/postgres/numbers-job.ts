// The job of the tests that kill and freeze processes, copied into a test's folder as its job.ts: 4 × 5,000 records, of
// which the even ones become rows with their number as the primary key. Where it writes is in its environment.
import { filter, map } from "rxjs";
import { defineJob } from "tidemark";
import { memorySource } from "tidemark/connectors/memory";
import { postgresSink } from "tidemark/connectors/postgres";

const PARTITIONS = 4;
const RECORDS = 5_000;

const { env } = process;
const numbersOf = (partition: number) => Array.from({ length: RECORDS }, (_, index) => index * PARTITIONS + partition);

const job = defineJob({
  name: env["JOB_NAME"] ?? "numbers",
  source: memorySource({ partitions: Array.from({ length: PARTITIONS }, (_, partition) => numbersOf(partition)) }),
  pipeline: (records$) =>
    records$.pipe(
      filter(({ value }) => value % 2 === 0),
      map(({ value, partition, offset }) => ({ id: value, partition, offset, text: `number ${value}` })),
    ),
  sink: postgresSink({ url: env["ROWS_URL"] ?? "", table: env["ROWS_TABLE"] ?? "numbers" }),
  checkpoint: env["CHECKPOINT_URL"] ?? "",
  trigger: "available-now",
  maxOffsetsPerBatch: 2_000,
});

// biome-ignore lint/style/noDefaultExport: a job file
export { job as default };
