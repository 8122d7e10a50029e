// Finds the record that a row came from, for sinks that refuse a row by its number: runs the batch once more, without
// the sink, and counts. Only for an error's message, so nothing that goes wrong here replaces that error.
import type { NormalizedJob } from "../contract/job.ts";
import { partitionKey, type TopicPartition } from "../contract/positions.ts";
import type { SourceReader } from "../contract/source.ts";
import { PipelineError } from "../errors.ts";
import type { BatchInHand } from "../journal/recover.ts";
import { runTask } from "./run-task.ts";
import type { TaskEngine } from "./task-engine.ts";

export interface LocateInput {
  readonly job: NormalizedJob;
  readonly reader: SourceReader;
  /** What ran the batch; undefined: the main thread. */
  readonly tasks?: TaskEngine | undefined;
  readonly inHand: BatchInHand;
  readonly signal: AbortSignal;
}

/** The same error, with the record that its row came from where that can be found; any other error as it is. */
export async function withRecordOfRow(error: unknown, input: LocateInput): Promise<unknown> {
  if (!(error instanceof PipelineError) || error.rowNumber === undefined || input.job.combine !== undefined)
    return error;
  const { message, code, hint, rowNumber } = error;
  const at = await locateRow(input, rowNumber).catch(() => undefined);
  if (at === undefined) return error;
  const where = `${at.topic}:${at.partition}:${at.offset}`;
  const hinted = hint === undefined ? {} : { hint };
  return new PipelineError(`${message} (the pipeline gave this row at ${where})`, { code, ...hinted, cause: error });
}

/** Where the batch's row with this number, from 1, is given; undefined when there are fewer. */
async function locateRow(
  { job, reader, tasks, inHand, signal }: LocateInput,
  numberInBatch: number,
): Promise<(TopicPartition & { readonly offset: bigint }) | undefined> {
  const { plan, poison } = inHand;
  const origin = tasks?.originOf?.(numberInBatch);
  const { rowNumber } = origin ?? { rowNumber: numberInBatch };
  let counted = 0;
  let found: (TopicPartition & { readonly offset: bigint }) | undefined;
  for (const range of origin === undefined ? plan.ranges : [origin.range]) {
    const { topic, partition, fromOffset, untilOffset } = range;
    if (fromOffset === untilOffset) continue;
    const key = partitionKey(range);
    const skip = new Set(poison.filter((record) => partitionKey(record) === key).map(({ offset }) => offset));
    const row = (_: unknown, offset: () => bigint) => {
      counted++;
      if (counted === rowNumber) found = { topic, partition, offset: offset() };
    };
    const task = { job, reader, batchId: plan.batchId, range, parts: [range], skip, signal };
    await runTask(task, { row, flush: async () => {} });
    if (found !== undefined) return found;
  }
  return undefined;
}
