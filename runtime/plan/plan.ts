// A batch's plan: which offset ranges it covers. A plan is for ever: its hash goes into every marker, so that a batch
// is never mistaken for another with the same number.
import { createHash } from "node:crypto";
import {
  comparePartitions,
  type OffsetRange,
  type Position,
  partitionKey,
  type TopicPartition,
} from "../contract/positions.ts";
import { finderIn, isStrictlySorted } from "./find-partition.ts";

/** A range with what identifies the log at its end. */
export interface PlannedRange extends OffsetRange {
  readonly untilMark?: string;
}

/**
 * Sorted ranges: those with something to read, and empty ones that fix where a partition seen for the first time
 * starts.
 */
export interface Plan {
  readonly batchId: number;
  readonly hash: string;
  readonly ranges: readonly PlannedRange[];
}

/** A record that a batch leaves out, decided before any sink commits. */
export interface PoisonRecord extends TopicPartition {
  readonly offset: bigint;
  readonly phase: "decode" | "pipeline";
  /** The error's message, cut to 500 characters. */
  readonly error: string;
}

/** 16 hex digits over lineage, batchId and the ranges' numbers; marks do not count. */
export function planHash(lineageId: string, batchId: number, ranges: readonly OffsetRange[]): string {
  const numbers = ranges.map(({ topic, partition, fromOffset, untilOffset }) => [
    topic,
    partition,
    String(fromOffset),
    String(untilOffset),
  ]);
  return createHash("sha256")
    .update(JSON.stringify([lineageId, batchId, numbers]))
    .digest("hex")
    .slice(0, 16);
}

/** Makes a plan of sorted ranges. */
export function makePlan(lineageId: string, batchId: number, ranges: readonly PlannedRange[]): Plan {
  return { batchId, hash: planHash(lineageId, batchId, ranges), ranges };
}

/** How many offsets a plan covers. */
export function countOffsets(ranges: readonly OffsetRange[]): bigint {
  let sum = 0n;
  for (const range of ranges) sum += range.untilOffset - range.fromOffset;
  return sum;
}

/** The positions after a plan's ranges: the old ones moved to where they end, new partitions added, sorted. */
export function positionsAfter(positions: readonly Position[], { ranges }: Pick<Plan, "ranges">): Position[] {
  const ends = ranges.map(({ topic, partition, untilOffset, untilMark }) => ({
    topic,
    partition,
    offset: untilOffset,
    ...(untilMark === undefined ? {} : { mark: untilMark }),
  }));
  return mergePositions(positions, ends);
}

/** `newer` wins where both have a position; sorted. */
export function mergePositions(older: readonly Position[], newer: readonly Position[]): Position[] {
  const newerOf = finderIn(newer);
  const merged = [...older.filter((position) => newerOf(position) === undefined), ...newer].sort(comparePartitions);
  if (isStrictlySorted(merged)) return merged;
  // Of what a list names twice, the last counts.
  return [...new Map(merged.map((position) => [partitionKey(position), position])).values()];
}
