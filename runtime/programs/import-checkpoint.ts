// `importCheckpoint`: makes a new job's checkpoint from positions that another program saved. A dry run unless told to
// execute; refused where the job has a checkpoint. In this order: what was saved is read and checked, the log begins
// (for an import: nothing uses it yet), the positions are entered, then a batch that was in flight, all is read back,
// and "arrived" comes last. Broken off anywhere, the same command begins anew.
import { type Clock, systemClock } from "../clock.ts";
import type { Job } from "../contract/job.ts";
import {
  earlier,
  later,
  type OffsetRange,
  type PartitionBounds,
  type Position,
  partitionKey,
  type TopicPartition,
} from "../contract/positions.ts";
import type { SavedPositionsPlace } from "../contract/saved-positions.ts";
import type { SourceReader } from "../contract/source.ts";
import type { CheckpointStore } from "../contract/store.ts";
import { jobName as checkedName, isJob } from "../define-job.ts";
import { CheckpointCorruptError, ConfigError, DataLossError } from "../errors.ts";
import { Journal, readState } from "../journal/journal.ts";
import { checkMayImport, newRunIdentity } from "../journal/may-take-over.ts";
import { type ImportedStart, importedStart } from "../plan/imported-start.ts";
import { makePlan, type PlannedRange } from "../plan/plan.ts";
import { withStore } from "./program.ts";

export interface ImportOptions {
  readonly from: SavedPositionsPlace;
  /** A URL, or a store; default: the job's own checkpoint, or `file:.tidemark` where only its name is given. */
  readonly to?: string | CheckpointStore;
  /** false: nothing is written, only told. */
  readonly execute: boolean;
  /** Relative paths are resolved against it; default: the current folder. */
  readonly baseDir?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Takes notes that are no errors, one line each. */
  readonly onWarning?: (message: string) => void;
}

/** Where one partition starts, and its log now, where the job is known. */
export interface ImportedPosition extends TopicPartition {
  readonly offset: bigint;
  readonly earliest: bigint | undefined;
  readonly latest: bigint | undefined;
  /** Offsets that wait to be read. */
  readonly lag: bigint | undefined;
}

export interface ImportResult {
  readonly executed: boolean;
  readonly from: string;
  readonly to: string;
  readonly positions: readonly ImportedPosition[];
  readonly nextBatchId: number;
  /** The ranges of the first batch, where the other program left one in flight; else empty. */
  readonly firstBatch: readonly OffsetRange[];
  /** What a person should know, one line each. */
  readonly notes: readonly string[];
}

/**
 * Imports saved positions as a new job's checkpoint.
 * @param job the job, whose source says which topics are its own and what its log holds; or only its name: then
 * everything that is saved is taken as it is
 * @throws ConfigError the job has a checkpoint there already, or what is saved is of no use to it
 * @throws DataLossError the log no longer holds what would be read first, and `failOnDataLoss` is on
 */
export async function importCheckpoint(job: Job | string, options: ImportOptions): Promise<ImportResult> {
  const { from, baseDir = ".", clock = systemClock, execute } = options;
  const signal = options.signal ?? new AbortController().signal;
  if (typeof job !== "string" && !isJob(job)) {
    throw new ConfigError("this is not a job", { hint: "make one with defineJob({ … })" });
  }
  const jobName = checkedName(typeof job === "string" ? job : job.definition.name);
  const own = typeof job === "string" ? "file:.tidemark" : job.definition.checkpoint;
  return withStore(options.to ?? own, { baseDir, clock }, async (store) => {
    checkMayImport(await readState(store, jobName, signal), store.url);
    const found = await findStart(job, options, signal);
    if (execute) await write({ jobName, from, store, clock, signal }, found.start);
    const { positions, nextBatchId, firstRanges } = found.start;
    const bounds = new Map((found.bounds ?? []).map((bound) => [partitionKey(bound), bound]));
    const told = positions.map((position) => toldPosition(position, bounds.get(partitionKey(position))));
    const firstBatch = firstRanges.map(({ topic, partition, fromOffset, untilOffset }) => {
      return { topic, partition, fromOffset, untilOffset };
    });
    const places = { from: from.url, to: store.url };
    return { executed: execute, ...places, positions: told, nextBatchId, firstBatch, notes: found.notes };
  });
}

interface FoundStart {
  readonly start: ImportedStart;
  readonly bounds: readonly PartitionBounds[] | undefined;
  readonly notes: readonly string[];
}

/** Reads what is saved and holds it against the job's source, if that is known. */
async function findStart(job: Job | string, options: ImportOptions, signal: AbortSignal): Promise<FoundStart> {
  const saved = await options.from.read(signal);
  if (typeof job === "string") {
    const start = importedStart(saved, undefined);
    const topics = new Set(start.positions.map(({ topic }) => topic));
    const several = `it has positions of ${topics.size} topics, and the job must read them all: give the job's file`;
    return { start, bounds: undefined, notes: topics.size > 1 ? [...saved.notes, several] : saved.notes };
  }
  const { name, source } = job.definition;
  const context = { jobName: name, baseDir: options.baseDir ?? ".", warn: options.onWarning ?? (() => {}) };
  await using reader = await source.open(context, signal);
  const bounds = await reader.partitions(signal);
  const start = importedStart(saved, bounds);
  const reasons = await whyLost(start, reader, signal);
  if (reasons.length > 0 && source.failOnDataLoss) {
    throw new DataLossError(`the log does not hold what is to be read first (${reasons.join("; ")})`, start.lost, {
      hint: "is it the right cluster? to go on without it: failOnDataLoss: false on the source, or start as a new job",
    });
  }
  const notes = [...saved.notes, ...notesOf(start), ...reasons.map((reason) => `not in the log any more: ${reason}`)];
  return { start: await marked(start, reader, signal), bounds, notes };
}

async function whyLost(start: ImportedStart, reader: SourceReader, signal: AbortSignal): Promise<string[]> {
  const gone = new Set(start.lost.map(partitionKey));
  const rest = start.positions.filter((position) => !gone.has(partitionKey(position)));
  const others = await reader.mismatches(rest, signal);
  return [
    ...start.lost.map(({ topic, partition, reason }) => `${topic}:${partition}: ${reason}`),
    ...others.map(({ position, reason }) => `${position.topic}:${position.partition}: ${reason}`),
  ];
}

function notesOf({ leftOut, unsaved }: ImportedStart): string[] {
  const topics = [...new Set(leftOut.map(({ topic }) => topic))];
  const left = `left out, for the job does not read it: ${topics.join(", ")}`;
  const names = unsaved.map(({ topic, partition }) => `${topic}:${partition}`);
  const some = names.length > 8 ? `${names.slice(0, 8).join(", ")} and ${names.length - 8} more` : names.join(", ");
  const earliest = `nothing is saved for ${some}: read from the earliest offset`;
  return [...(topics.length > 0 ? [left] : []), ...(names.length > 0 ? [earliest] : [])];
}

/** The source's marks are those of the log as it is now. Partitions that are gone have none. */
async function marked(start: ImportedStart, reader: SourceReader, signal: AbortSignal): Promise<ImportedStart> {
  const gone = new Set(start.lost.map(partitionKey));
  const mark = async (positions: readonly Position[]) => {
    const there = positions.filter((position) => !gone.has(partitionKey(position)));
    const bare = there.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
    return new Map((await reader.mark(bare, signal)).map((position) => [partitionKey(position), position]));
  };
  const marks = await mark(start.positions);
  const ends = start.firstRanges.map(({ topic, partition, untilOffset }) => ({
    topic,
    partition,
    offset: untilOffset,
  }));
  const endMarks = await mark(ends);
  const firstRanges = start.firstRanges.map((range): PlannedRange => {
    const untilMark = endMarks.get(partitionKey(range))?.mark;
    return untilMark === undefined ? range : { ...range, untilMark };
  });
  const positions = start.positions.map((position) => marks.get(partitionKey(position)) ?? unmarked(position));
  return { ...start, positions, firstRanges };
}

function unmarked({ topic, partition, offset }: Position): Position {
  return { topic, partition, offset };
}

interface Import {
  readonly jobName: string;
  readonly from: SavedPositionsPlace;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function write({ jobName, from, store, clock, signal }: Import, start: ImportedStart): Promise<void> {
  const { positions, nextBatchId, firstRanges } = start;
  const run = newRunIdentity();
  await using journal = await Journal.takeOver({ store, jobName, purpose: "import", clock, signal, run });
  await journal.append({ kind: "reset", positions, nextBatchId, reason: `imported from ${from.url}` }, signal);
  const plan = firstRanges.length === 0 ? undefined : makePlan(journal.state.lineageId, nextBatchId, [...firstRanges]);
  if (plan !== undefined) await journal.append({ kind: "plan", plan }, signal);
  const written = await readState(store, jobName, signal);
  const isWhole =
    written?.head === journal.state.head &&
    written.inHand?.plan.hash === plan?.hash &&
    written.positions?.length === positions.length &&
    written.positions.every(({ offset }, index) => offset === positions[index]?.offset);
  if (!isWhole) {
    // Another import may have begun there meanwhile: then this one is fenced, and nothing is wrong.
    await journal.verifyHead(signal);
    throw new CheckpointCorruptError(`${store.url} does not hold what was imported`, {
      hint: "type the same command again",
    });
  }
  await journal.append({ kind: "arrived", from: from.url }, signal, { customary: positions });
}

function toldPosition({ topic, partition, offset }: Position, bound: PartitionBounds | undefined): ImportedPosition {
  const { earliest, latest } = bound ?? {};
  const lag = bound && bound.latest - earlier(later(offset, bound.earliest), bound.latest);
  return { topic, partition, offset, earliest, latest, lag };
}
