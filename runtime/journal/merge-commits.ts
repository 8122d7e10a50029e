// Joins what consecutive batches did into what one commit says of them. Pure.
import { comparePartitions, type OffsetRange, partitionKey } from "../contract/positions.ts";
import type { PlannedRange } from "../plan/plan.ts";
import type { BatchCounts, CommitEntry } from "./entry.ts";

/** What a commit says of some batches in a row. */
export type Commit = Omit<CommitEntry, "kind">;

/** Poison records that a commit names; beyond that it only counts them. */
export const NAMED_POISON_RECORDS = 100;

/** One commit for both. @param newer follows `older` without a gap */
export function mergeCommits(older: Commit, newer: Commit): Commit {
  return {
    firstBatchId: older.firstBatchId,
    batchId: newer.batchId,
    ranges: mergeRanges(older.ranges, newer.ranges),
    positions: newer.positions,
    counts: sumOf(older.counts, newer.counts),
    lost: [...older.lost, ...newer.lost].sort(byOffset),
    poison: [...older.poison, ...newer.poison].slice(0, NAMED_POISON_RECORDS),
  };
}

/** Each partition's range from where the older one begins to where the newer one ends. */
function mergeRanges(older: readonly PlannedRange[], newer: readonly PlannedRange[]): PlannedRange[] {
  const ranges = new Map(older.map((range) => [partitionKey(range), range]));
  for (const range of newer) {
    const before = ranges.get(partitionKey(range));
    ranges.set(partitionKey(range), { ...range, fromOffset: before?.fromOffset ?? range.fromOffset });
  }
  return [...ranges.values()].sort(comparePartitions);
}

function byOffset(a: OffsetRange, b: OffsetRange): number {
  return comparePartitions(a, b) || (a.fromOffset < b.fromOffset ? -1 : 1);
}

function sumOf(a: BatchCounts, b: BatchCounts): BatchCounts {
  return {
    records: (a.records ?? 0) + (b.records ?? 0),
    rows: (a.rows ?? 0) + (b.rows ?? 0),
    tombstones: (a.tombstones ?? 0) + (b.tombstones ?? 0),
    poison: a.poison + b.poison,
    alreadyWritten: false,
    durationMs: a.durationMs + b.durationMs,
  };
}
