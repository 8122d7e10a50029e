// Small real jobs for the command line's tests: an NDJSON log of three partitions, and job files over it.

const PARTITIONS = 3;

/** Lines of a partition: `{"id":…}`, counted from `from`. */
export function lines(partition: number, count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => `{"id":${(from + index) * PARTITIONS + partition}}\n`).join("");
}

/** The files of a log with so many lines in each partition. */
export function log(linesPerPartition: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: PARTITIONS }, (_, partition) => [
      `in/${partition}.ndjson`,
      lines(partition, linesPerPartition),
    ]),
  );
}

export interface JobText {
  readonly name?: string;
  /** The body of `map`, with `value` and `record` at hand. */
  readonly row?: string;
  readonly sink?: string;
  readonly options?: string;
  readonly source?: string;
}

/** A job file: even ids go to the folder `out`, 100 offsets a batch, until nothing is left. */
export function job({ name = "evens", row = "{ id: value.id }", sink, options = "", source }: JobText = {}): string {
  return `import { filter, map } from "rxjs";
import { deadLetter, defineJob, json, mapAsync } from "tidemark";
import { consoleSink } from "tidemark/connectors/console";
import { fileSink, fileSource } from "tidemark/connectors/files";

interface Line { id: number }

export default defineJob({
  name: "${name}",
  source: ${source ?? 'fileSource({ dir: "in", value: json<Line>() })'},
  pipeline: (records$) => records$.pipe(
    filter(({ value }) => value.id % 2 === 0),
    map(({ value }) => (${row})),
  ),
  sink: ${sink ?? 'fileSink({ dir: "out", format: "ndjson" })'},
  trigger: "available-now",
  maxOffsetsPerBatch: 100,
  ${options}
});
`;
}

/** A job that is never done and holds each batch for `holdMs`. */
export function endlessJob(name: string, holdMs: number): string {
  return `import { defineJob, mapAsync } from "tidemark";
import { fileSink } from "tidemark/connectors/files";
import { rateSource } from "tidemark/connectors/rate";

export default defineJob({
  name: "${name}",
  source: rateSource({ recordsPerSecond: 50 }),
  pipeline: (records$) => records$.pipe(
    mapAsync({ concurrency: 1_000 }, async ({ value }) => {
      await new Promise((resolve) => setTimeout(resolve, ${holdMs}));
      return value;
    }),
  ),
  sink: fileSink({ dir: "out-${name}" }),
});
`;
}
