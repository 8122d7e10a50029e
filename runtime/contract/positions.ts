// Where a log is read from and to: topic partitions, fixed ranges of offsets, and positions between batches. Plain
// data; offsets are bigint everywhere, and every list of positions or ranges is sorted by topic, then by partition.

/** One partition of one topic; a topic's partitions are numbered from 0. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * A fixed piece of one partition: `fromOffset` inclusive, `untilOffset` exclusive; gaps inside it are not data loss.
 */
export interface OffsetRange extends TopicPartition {
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
}

/** The next offset to read from a partition. */
export interface Position extends TopicPartition {
  readonly offset: bigint;
  /**
   * What identifies the log at this offset, in the source's own words (at most 256 bytes): a re-created or replaced log
   * gives another mark. Absent when the source has nothing to tell logs apart by.
   */
  readonly mark?: string;
}

/** The first and the end offset of a partition now: `earliest` inclusive, `latest` exclusive. */
export interface PartitionBounds extends TopicPartition {
  readonly earliest: bigint;
  readonly latest: bigint;
}

/** A key that is unique for each topic partition and sorts nowhere: for maps only. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}\u0000${partition}`;
}

/** Orders by topic (by code unit, the same on every machine), then by partition number. */
export function comparePartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}

/** The way a range is written in messages and on the command line: `topic:partition:from-until`. */
export function formatRange({ topic, partition, fromOffset, untilOffset }: OffsetRange): string {
  return `${topic}:${partition}:${fromOffset}-${untilOffset}`;
}

/** The lower of two offsets. */
export function earlier(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** The higher of two offsets. */
export function later(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
