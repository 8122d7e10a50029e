// Where a job stands on each partition, beside where the log begins and ends.

import type { Job } from "../contract/job.ts";
import { comparePartitions, partitionKey, type TopicPartition } from "../contract/positions.ts";
import { readState } from "../journal/journal.ts";
import { type ProgramOptions, withProgram } from "./program.ts";

/** One partition; offsets are undefined where there are none (yet). */
export interface PartitionOffsets extends TopicPartition {
  /** First offset that the log still holds; undefined when the partition is gone. */
  readonly earliest: bigint | undefined;
  /** Next after the last record recorded as complete. */
  readonly committed: bigint | undefined;
  /** Next to be read: the end of the batch in hand, else the committed offset. */
  readonly current: bigint | undefined;
  /** End of the log, exclusive. */
  readonly latest: bigint | undefined;
  /** latest − committed. */
  readonly lag: bigint | undefined;
}

/** The offsets of every partition that the log or the checkpoint has, sorted. Reads only. */
export function offsets(job: Job, options: ProgramOptions = {}): Promise<PartitionOffsets[]> {
  return withProgram(job, options, async ({ job: definition, store, signal, openContext }) => {
    await using reader = await definition.source.open(openContext, signal);
    const bounds = new Map((await reader.partitions(signal)).map((bound) => [partitionKey(bound), bound]));
    const state = await readState(store, definition.name, signal);
    const committed = new Map((state?.positions ?? []).map((position) => [partitionKey(position), position]));
    const inHand = new Map((state?.inHand?.plan.ranges ?? []).map((range) => [partitionKey(range), range]));
    const partitions = new Map<string, TopicPartition>([...committed, ...inHand, ...bounds]);
    const rows = [...partitions].map(([key, { topic, partition }]) => {
      const { earliest, latest } = bounds.get(key) ?? { earliest: undefined, latest: undefined };
      const done = committed.get(key)?.offset;
      const current = inHand.get(key)?.untilOffset ?? done;
      const lag = latest === undefined ? undefined : latest - (done ?? earliest ?? 0n);
      return {
        topic,
        partition,
        earliest,
        committed: done,
        current,
        latest,
        lag: lag !== undefined && lag < 0n ? 0n : lag,
      };
    });
    return rows.sort(comparePartitions);
  });
}
