// `tidemark/testing`: tries a job's pipeline on values of one's own, without source, sink or checkpoint.
import type { Job } from "./contract/job.ts";
import type { SourceRecord } from "./contract/record.ts";
import type { RecordChunk, SourceReader } from "./contract/source.ts";
import { Combining } from "./engine/combine.ts";
import { runTask } from "./engine/run-task.ts";

export interface TestRecord<V> {
  readonly value: V;
  /** Default "test". */
  readonly topic?: string;
  /** Default 0. */
  readonly partition?: number;
  readonly timestamp?: number;
  readonly key?: unknown;
}

/**
 * What the job's pipeline (and combine) makes of `records` as one batch, in partition order.
 * @throws PipelineError as in a real run
 */
export async function runPipeline<V, Row, Out>(
  job: Job<SourceRecord<V, unknown>, Row, Out>,
  records: readonly TestRecord<V>[],
): Promise<Out[]> {
  const { definition } = job;
  const out: unknown[] = [];
  const { signal } = new AbortController();
  const partitions = [...new Set(records.map(({ partition = 0 }) => partition))].sort((a, b) => a - b);
  const ranges = partitions.map((partition) => {
    const mine = records.filter((record) => (record.partition ?? 0) === partition);
    return { topic: mine[0]?.topic ?? "test", partition, fromOffset: 0n, untilOffset: BigInt(mine.length) };
  });
  const identity = { jobName: job.name, lineageId: "test", batchId: 0, planHash: "test", ranges, signal };
  const combining = definition.combine && new Combining(definition.combine, identity, (row) => out.push(row));
  const row = combining ? (value: unknown) => combining.add(value) : (value: unknown) => void out.push(value);
  for (const range of ranges) {
    const mine = records.filter((record) => (record.partition ?? 0) === range.partition);
    const reader = readerOf(mine, range);
    const task = { job: definition, reader, batchId: 0, range, parts: [range], skip: new Set<bigint>(), signal };
    await runTask(task, { row, flush: async () => {} });
  }
  await combining?.complete(signal);
  return out as Out[];
}

function readerOf(
  mine: readonly TestRecord<unknown>[],
  { topic, partition }: { topic: string; partition: number },
): SourceReader {
  const records = mine.map(({ value, timestamp = -1, key = null }, index): SourceRecord => {
    return { topic, partition, offset: BigInt(index), timestamp, key, value, headers: [] };
  });
  return {
    partitions: async () => [{ topic, partition, earliest: 0n, latest: BigInt(records.length) }],
    offsetsAtTime: async () => [],
    mark: async (positions) => positions,
    mismatches: async () => [],
    async *read(): AsyncGenerator<RecordChunk<SourceRecord>> {
      yield { records, tombstones: 0 };
    },
    readRaw: async () => undefined,
    async [Symbol.asyncDispose]() {},
  };
}
