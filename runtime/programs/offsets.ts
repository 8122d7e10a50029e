// Where a job stands on each partition, beside where the log begins and ends: committed is what its checkpoint has
// recorded; current, what is read next, may be ahead of that. With recorded plans the checkpoint tells both. Without
// them (job option `commit`) only the running job knows what is current, and its heartbeat tells it, some seconds late.

import type { Job } from "../contract/job.ts";
import { comparePartitions, later, partitionKey, type TopicPartition } from "../contract/positions.ts";
import { decodeCurrent } from "../engine/current-offsets.ts";
import { freshHeartbeat } from "../engine/heartbeat.ts";
import { readState } from "../journal/journal.ts";
import { type ProgramOptions, warnWhenMoved, withProgram } from "./program.ts";

/** One partition; offsets are undefined where there are none (yet). */
export interface PartitionOffsets extends TopicPartition {
  /** First offset that the log still holds; undefined when the partition is gone. */
  readonly earliest: bigint | undefined;
  /** Next after the last record recorded as complete. */
  readonly committed: bigint | undefined;
  /** Next to be read: the end of the batch that runs or is in hand; when no job runs, where the next start goes on. */
  readonly current: bigint | undefined;
  /** End of the log, exclusive. */
  readonly latest: bigint | undefined;
  /** latest − committed. */
  readonly lag: bigint | undefined;
}

/** The offsets of every partition that the log or the checkpoint has, sorted. Reads only. */
export function offsets(job: Job, options: ProgramOptions = {}): Promise<PartitionOffsets[]> {
  return withProgram(job, options, async ({ job: definition, store, signal, clock, openContext }) => {
    await using reader = await definition.source.open(openContext, signal);
    const bounds = new Map((await reader.partitions(signal)).map((bound) => [partitionKey(bound), bound]));
    const state = await readState(store, definition.name, signal);
    warnWhenMoved(state, openContext);
    const committed = new Map((state?.positions ?? []).map((position) => [partitionKey(position), position]));
    const inHand = new Map((state?.inHand?.plan.ranges ?? []).map((range) => [partitionKey(range), range]));
    const running = await freshHeartbeat(store, definition.name, clock, signal);
    const isNewest = running !== undefined && running.epoch === state?.epoch;
    const told = isNewest ? decodeCurrent(running.current) : [];
    const reading = new Map(told.map((position) => [partitionKey(position), position]));
    const partitions = new Map<string, TopicPartition>([...committed, ...inHand, ...reading, ...bounds]);
    const rows = [...partitions].map(([key, { topic, partition }]) => {
      const { earliest, latest } = bounds.get(key) ?? { earliest: undefined, latest: undefined };
      const done = committed.get(key)?.offset;
      // A heartbeat may be older than the log.
      const ahead = later(reading.get(key)?.offset ?? 0n, done ?? 0n);
      const current = inHand.get(key)?.untilOffset ?? (reading.has(key) ? ahead : done);
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
