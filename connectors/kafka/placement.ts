// Where a record goes. The encoder does not know how many partitions a topic has, so it leaves one number: a partition
// that the row asks for, the hash of its key, or nothing. The writer makes a partition of it, for keys the one that
// Java's default partitioner takes. Rows with neither go to one partition after the other in runs of a fixed length,
// counted from the batch's own number, so that a batch that runs again puts them in the same places.
import { murmur2 } from "./murmur2.ts";

/** Neither key nor partition. */
export const ANYWHERE = -1;
const FIRST_EXPLICIT = -2;
/** Long enough for well-filled record batches, short enough to spread a batch of some thousand rows. */
const RUN_LENGTH = 1000;

/** The placement of a key in `bytes` from `start` (inclusive) to `end` (exclusive). */
export function placeByKey(bytes: Uint8Array, start: number, end: number): number {
  return murmur2(bytes, start, end) & 0x7fffffff;
}

/** The placement of a partition by its number, from 0. */
export function placeIn(partition: number): number {
  return FIRST_EXPLICIT - partition;
}

/** Whether a row can ask for this partition, whatever the topic has. */
export function isPartitionNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31 - 2;
}

/** Makes partitions of the placements of one batch's rows for one topic, in their order. */
export class Placer {
  private readonly partitionCount: number;
  private readonly firstRun: number;
  private placedAnywhere = 0;

  /** @param batchId counted from 0: small batches take turns too */
  constructor(partitionCount: number, batchId: number) {
    this.partitionCount = partitionCount;
    this.firstRun = batchId;
  }

  /** The partition; not below `partitionCount` only if the row asked for it by number. */
  partitionOf(placement: number): number {
    if (placement >= 0) return placement % this.partitionCount;
    if (placement <= FIRST_EXPLICIT) return FIRST_EXPLICIT - placement;
    const run = this.firstRun + Math.floor(this.placedAnywhere++ / RUN_LENGTH);
    return run % this.partitionCount;
  }
}
