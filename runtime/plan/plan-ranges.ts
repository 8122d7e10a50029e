// Decides the ranges of the next batch from positions and bounds: pure arithmetic. Every range begins exactly where
// the last batch ended (invariant 3), even where the log has lost what follows; partitions seen for the first time
// begin where they are told to.
import {
  comparePartitions,
  earlier,
  later,
  type OffsetRange,
  type PartitionBounds,
  type Position,
  partitionKey,
} from "../contract/positions.ts";
import type { LostRange } from "../contract/source.ts";
import { finderIn } from "./find-partition.ts";
import { shareLimit } from "./share-limit.ts";

export interface PlanInput {
  /** Where each known partition stands. */
  readonly positions: readonly Position[];
  /** Where partitions that have no position yet begin; those in `bounds` but in neither list are not planned. */
  readonly starts: readonly Position[];
  readonly bounds: readonly PartitionBounds[];
  /** Nothing is read at or beyond these offsets; partitions not named are unbounded. undefined: none is bounded. */
  readonly ends: readonly Position[] | undefined;
  /** At most so many offsets; undefined: all. */
  readonly limit: number | undefined;
  readonly batchId: number;
}

export interface PlannedRanges {
  /** Sorted; empty ranges only for partitions without a position. */
  readonly ranges: readonly OffsetRange[];
  /** Offsets that are there beyond these ranges. */
  readonly lag: bigint;
}

/** The ranges of batch `batchId`, at most `limit` offsets in all. */
export function planRanges({ positions, starts, bounds, ends, limit, batchId }: PlanInput): PlannedRanges {
  const known = finderIn(positions);
  const beginning = finderIn(starts);
  const ending = finderIn(ends ?? []);
  const partitions = [...bounds].sort(comparePartitions).flatMap((bound) => {
    const position = known(bound);
    const from = position?.offset ?? beginning(bound)?.offset;
    if (from === undefined) return [];
    const end = ending(bound)?.offset;
    const latest = end === undefined ? bound.latest : earlier(end, bound.latest);
    // What the log has lost counts for nothing in the limit, but the range still begins where the last one ended.
    const readable = from < bound.earliest && bound.earliest <= latest ? bound.earliest : from;
    return [{ bound, from, readable, lag: latest > readable ? latest - readable : 0n, isNew: position === undefined }];
  });
  const lags = partitions.map(({ lag }) => lag);
  const shares = limit === undefined ? lags : shareLimit(lags, limit, batchId);
  let left = 0n;
  const ranges: OffsetRange[] = [];
  partitions.forEach(({ bound: { topic, partition }, from, readable, lag, isNew }, index) => {
    const share = shares[index] ?? 0n;
    left += lag - share;
    const untilOffset = share > 0n ? readable + share : from;
    if (untilOffset > from || isNew) ranges.push({ topic, partition, fromOffset: from, untilOffset });
  });
  return { ranges, lag: left };
}

/**
 * The parts of `ranges` that lie outside of the log as it is now, sorted; a partition that is gone has lost all of
 * its range.
 */
export function lostParts(ranges: readonly OffsetRange[], bounds: readonly PartitionBounds[]): LostRange[] {
  const now = finderIn(bounds);
  return ranges.flatMap((range) => {
    const bound = now(range);
    if (range.untilOffset === range.fromOffset) return [];
    if (bound === undefined) return [{ ...range, reason: "the partition is gone" }];
    const parts: LostRange[] = [];
    const begins = earlier(bound.earliest, range.untilOffset);
    if (range.fromOffset < begins) {
      parts.push({ ...range, untilOffset: begins, reason: `the log begins at ${bound.earliest} now` });
    }
    const ends = later(bound.latest, range.fromOffset);
    if (ends < range.untilOffset) {
      parts.push({ ...range, fromOffset: ends, reason: `the log ends at ${bound.latest} now` });
    }
    return parts;
  });
}

/**
 * What the log has lost around the positions of a job between two batches: what was to be read next and is gone, or
 * what was read already from a log that has become shorter, so that it is not the same log any more.
 */
export function lostAtPositions(positions: readonly Position[], bounds: readonly PartitionBounds[]): LostRange[] {
  const now = finderIn(bounds);
  return positions.flatMap(({ topic, partition, offset }) => {
    const bound = now({ topic, partition }) ?? { earliest: 0n, latest: 0n };
    if (offset < bound.earliest) {
      const reason = `the log begins at ${bound.earliest} now`;
      return [{ topic, partition, fromOffset: offset, untilOffset: bound.earliest, reason }];
    }
    if (offset > bound.latest) {
      const reason = `the log ends at ${bound.latest} now: it shrank, or was made anew`;
      return [{ topic, partition, fromOffset: bound.latest, untilOffset: offset, reason }];
    }
    return [];
  });
}

/** `range` without its lost parts: what is left to read, in order. */
export function withoutLost(range: OffsetRange, lost: readonly OffsetRange[]): OffsetRange[] {
  const rest: OffsetRange[] = [];
  let from = range.fromOffset;
  const mine = lost
    .filter((part) => partitionKey(part) === partitionKey(range))
    .sort((a, b) => (a.fromOffset < b.fromOffset ? -1 : 1));
  for (const part of mine) {
    if (part.fromOffset > from) rest.push({ ...range, fromOffset: from, untilOffset: part.fromOffset });
    if (part.untilOffset > from) from = part.untilOffset;
  }
  if (from < range.untilOffset) rest.push({ ...range, fromOffset: from });
  return rest;
}
