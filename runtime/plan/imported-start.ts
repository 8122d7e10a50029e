// Decides where a job starts that takes over from another program: pure. What was saved is checked as if it came from
// an enemy; what the job's source does not read is left out and told; a position that the log no longer holds is
// refused here rather than at the first start.
import {
  comparePartitions,
  formatRange,
  type OffsetRange,
  type PartitionBounds,
  type Position,
  partitionKey,
  type TopicPartition,
} from "../contract/positions.ts";
import type { SavedPositions } from "../contract/saved-positions.ts";
import type { LostRange } from "../contract/source.ts";
import { ConfigError } from "../errors.ts";
import { lostAtPositions, lostParts } from "./plan-ranges.ts";

const GREATEST_OFFSET = 2n ** 63n - 1n;
const GREATEST_PARTITION = 2 ** 31 - 1;
const MOST_POSITIONS = 100_000;

/** Where a job starts. */
export interface ImportedStart {
  /** Sorted. */
  readonly positions: readonly Position[];
  readonly nextBatchId: number;
  /** The first batch, sorted; without ranges where the job plans its first batch itself. */
  readonly firstRanges: readonly OffsetRange[];
  /** Saved, but of topics that the job does not read; sorted. */
  readonly leftOut: readonly Position[];
  /** Partitions of the job that nothing was saved for: they begin at their earliest offset; sorted. */
  readonly unsaved: readonly TopicPartition[];
  /** What the log no longer holds of all that. */
  readonly lost: readonly LostRange[];
}

/**
 * Where a job starts that goes on from what was saved.
 * @param bounds the partitions that the job reads; undefined where the job is not known, and all are taken
 * @throws ConfigError what was saved contradicts itself, or has nothing for this job
 */
export function importedStart(saved: SavedPositions, bounds: readonly PartitionBounds[] | undefined): ImportedStart {
  const all = checkedPositions(saved.positions);
  const ranges = checkedRanges(saved.inFlight ?? [], all);
  if (bounds === undefined) {
    const firstRanges = ranges.filter(isNotEmpty);
    return { ...checkedNumber(saved), positions: all, firstRanges, leftOut: [], unsaved: [], lost: [] };
  }
  const topics = new Set(bounds.map(({ topic }) => topic));
  const isRead = ({ topic }: TopicPartition) => topics.has(topic);
  const positions = all.filter(isRead);
  if (positions.length === 0) throw nothingFor(topics, all);
  const firstRanges = ranges.filter(isRead).filter(isNotEmpty);
  const saves = new Set(positions.map(partitionKey));
  const unsaved = bounds.filter((bound) => !saves.has(partitionKey(bound)));
  return {
    ...checkedNumber(saved),
    positions,
    firstRanges,
    leftOut: all.filter((position) => !isRead(position)),
    unsaved: unsaved.map(({ topic, partition }) => ({ topic, partition })).sort(comparePartitions),
    lost: lostOf(positions, firstRanges, bounds),
  };
}

function isNotEmpty({ fromOffset, untilOffset }: OffsetRange): boolean {
  return fromOffset < untilOffset;
}

/** Of the first batch its lost parts; elsewhere what a position itself has lost. */
function lostOf(
  positions: readonly Position[],
  firstRanges: readonly OffsetRange[],
  bounds: readonly PartitionBounds[],
): LostRange[] {
  const planned = new Set(firstRanges.map(partitionKey));
  const others = positions.filter((position) => !planned.has(partitionKey(position)));
  return [...lostParts(firstRanges, bounds), ...lostAtPositions(others, bounds)].sort(comparePartitions);
}

function checkedNumber({ nextBatchId }: SavedPositions): { readonly nextBatchId: number } {
  if (Number.isSafeInteger(nextBatchId) && nextBatchId >= 0) return { nextBatchId };
  throw new ConfigError(`${nextBatchId} is no batch number`);
}

function checkedPositions(saved: readonly Position[]): Position[] {
  if (saved.length === 0) throw new ConfigError("no positions are saved there");
  if (saved.length > MOST_POSITIONS) throw new ConfigError(`${saved.length} positions are more than ${MOST_POSITIONS}`);
  const positions = [...saved].sort(comparePartitions);
  positions.forEach((position, index) => {
    const { topic, partition, offset } = position;
    const where = `${topic}:${partition}`;
    if (topic === "") throw new ConfigError("a position is saved without its topic");
    if (!Number.isInteger(partition) || partition < 0 || partition > GREATEST_PARTITION) {
      throw new ConfigError(`${partition} is saved as a partition of ${topic}, and is none`);
    }
    if (offset < 0n || offset > GREATEST_OFFSET) throw new ConfigError(`${where} is saved at ${offset}: no offset`);
    const before = positions[index - 1];
    if (before !== undefined && comparePartitions(before, position) === 0) {
      throw new ConfigError(`${where} is saved twice, at ${before.offset} and ${offset}`);
    }
  });
  return positions;
}

function checkedRanges(saved: readonly OffsetRange[], positions: readonly Position[]): OffsetRange[] {
  const at = new Map(positions.map((position) => [partitionKey(position), position.offset]));
  for (const range of saved) {
    const { fromOffset, untilOffset } = range;
    const begins = at.get(partitionKey(range));
    if (begins === fromOffset && fromOffset <= untilOffset && untilOffset <= GREATEST_OFFSET) continue;
    throw new ConfigError(
      `the batch in flight cannot be ${formatRange(range)}: the position there is ${begins ?? "not saved"}`,
    );
  }
  return [...saved].sort(comparePartitions);
}

function nothingFor(topics: ReadonlySet<string>, saved: readonly Position[]): ConfigError {
  const others = [...new Set(saved.map(({ topic }) => topic))];
  const some = others.length > 5 ? `${others.slice(0, 5).join(", ")} and ${others.length - 5} more` : others.join(", ");
  const read = topics.size === 0 ? "has no partitions to read" : `reads ${[...topics].join(", ")}`;
  return new ConfigError(`what is saved there is of ${some}, but the job ${read}`, {
    hint: "give the job that reads these topics, or the place where positions of its own are saved",
  });
}
