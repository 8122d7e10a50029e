// Looks at the source and decides what comes next: where the log begins and ends now, whether it still holds what is to
// be read, and what that means under the job's trigger. The decisions themselves are pure, in runtime/plan.
import { earlier, type PartitionBounds, type Position, partitionKey } from "../contract/positions.ts";
import type { LostRange } from "../contract/source.ts";
import { DataLossError } from "../errors.ts";
import { type Decision, decide } from "../plan/decide.ts";
import { finderIn } from "../plan/find-partition.ts";
import type { Plan } from "../plan/plan.ts";
import { lostAtPositions, lostParts } from "../plan/plan-ranges.ts";
import { resolveOffsets } from "../plan/resolve-offsets.ts";
import { withDeadline } from "./deadline.ts";
import type { Term } from "./term.ts";

/** How often a source is asked for new data while a job waits. */
const POLL_MS = 100;

/**
 * What a run remembers from term to term: its trigger's times and ends do not begin anew when a server was away for a
 * while.
 */
export interface RunMemory {
  readonly runBeganMs: number;
  lastPlannedMs: number | undefined;
  waitingSinceMs: number;
  planned: number;
  /** Where a bounded run ends; decided once, when the run first sees the source. */
  ends: readonly Position[] | undefined;
  isEndDecided: boolean;
  /**
   * Where a new job begins, decided once, when the run first sees the source; partitions that appear later begin at
   * their earliest, whatever `startingOffsets` says. undefined: not decided, or "earliest" for all.
   */
  starts: readonly Position[] | undefined;
  /** When the log's head was last seen to be this run's own. */
  verifiedMs: number;
  /** The number after the newest batch that is known to be done: grows when something gets on. */
  furthest: number;
  /** Whether a batch runs; and whether, since the last failure, the run has waited and the log has answered. */
  isInBatch: boolean;
  hasIdled: boolean;
}

/** Where a job stands, and the number of its next batch. */
export interface Standing {
  readonly positions: readonly Position[];
  readonly nextBatchId: number;
}

/** The memory of a run that begins now. */
export function newRunMemory(nowMs: number): RunMemory {
  return {
    runBeganMs: nowMs,
    lastPlannedMs: undefined,
    waitingSinceMs: nowMs,
    planned: 0,
    ends: undefined,
    isEndDecided: false,
    starts: undefined,
    verifiedMs: nowMs,
    furthest: 0,
    isInBatch: false,
    hasIdled: false,
  };
}

/** A decision, and the bounds of all partitions that it was made from. */
export type Looked = Decision & { readonly bounds: readonly PartitionBounds[] };

/** Looks at the source and decides what a job does next that stands there. */
export async function decideNow(term: Term, memory: RunMemory, standing: Standing): Promise<Looked> {
  const { job, clock, abortSignal } = term.input;
  const { positions, nextBatchId: batchId } = standing;
  const deadline = { phase: "plan", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  return withDeadline(deadline, async (signal) => {
    const all = await term.reader.partitions(signal);
    checkNothingLost(term, positions, all);
    const bounds = pinned(all, job.trigger, memory.ends);
    const isNewJob = positions.length === 0 && batchId === 0;
    const known = finderIn(positions);
    const unknown = bounds.filter((bound) => known(bound) === undefined);
    const starts = isNewJob ? await decideStarts(term, memory, unknown, signal) : earliestOf(unknown);
    const decision = decide({
      positions,
      starts,
      bounds,
      ends: memory.ends,
      batchId,
      trigger: job.trigger,
      maxOffsets: job.maxOffsetsPerBatch,
      minOffsets: job.minOffsetsPerBatch,
      maxDelayMs: job.maxTriggerDelayMs,
      mustRecordStarts: isNewJob && (memory.starts?.length ?? 0) > 0,
      isBounded: memory.ends !== undefined,
      nowMs: clock.elapsed(),
      runBeganMs: memory.runBeganMs,
      lastPlannedMs: memory.lastPlannedMs,
      waitingSinceMs: memory.waitingSinceMs,
      planned: memory.planned,
      pollMs: POLL_MS,
    });
    return { ...decision, bounds: all };
  });
}

/** Where a new job begins on these partitions: what its run decided when it first saw the source stays. */
export async function decideStarts(
  { input, reader }: Pick<Term, "input" | "reader">,
  memory: RunMemory,
  bounds: readonly PartitionBounds[],
  signal: AbortSignal,
): Promise<Position[]> {
  const { startingOffsets } = input.job.source;
  if (startingOffsets === "earliest") return earliestOf(bounds);
  memory.starts ??= await resolveOffsets(startingOffsets, "start", bounds, (ms) => reader.offsetsAtTime(ms, signal));
  const decided = new Map(memory.starts.map((start) => [partitionKey(start), start]));
  return earliestOf(bounds).map((earliest) => decided.get(partitionKey(earliest)) ?? earliest);
}

function earliestOf(bounds: readonly PartitionBounds[]): Position[] {
  return bounds.map(({ topic, partition, earliest }) => ({ topic, partition, offset: earliest }));
}

/**
 * Decides, once in a run, where a bounded run ends: its ending offsets, and for "available-now" what was there at the
 * start.
 */
export async function decideEnds(term: Term, memory: RunMemory): Promise<void> {
  if (memory.isEndDecided) return;
  const { job, abortSignal } = term.input;
  const { endingOffsets } = job.source;
  const atTime = (ms: number) => term.reader.offsetsAtTime(ms, abortSignal);
  const ends = endingOffsets && (await resolveOffsets(endingOffsets, "end", term.bounds, atTime));
  const now = term.bounds.map(({ topic, partition, latest }) => ({ topic, partition, offset: latest }));
  if (job.trigger === "available-now") {
    const asked = new Map((ends ?? now).map((end) => [partitionKey(end), end.offset]));
    memory.ends = now.map((end) => ({
      ...end,
      offset: earlier(end.offset, asked.get(partitionKey(end)) ?? end.offset),
    }));
  } else {
    memory.ends = ends;
  }
  memory.isEndDecided = true;
}

/** Under a pinned end, partitions that appeared later are left to the next run. */
function pinned(
  bounds: readonly PartitionBounds[],
  trigger: unknown,
  ends: readonly Position[] | undefined,
): readonly PartitionBounds[] {
  if (trigger !== "available-now" || ends === undefined) return bounds;
  const there = new Set(ends.map(partitionKey));
  return bounds.filter((bound) => there.has(partitionKey(bound)));
}

function checkNothingLost(term: Term, positions: readonly Position[], bounds: readonly PartitionBounds[]): void {
  if (!term.input.job.source.failOnDataLoss) return;
  const lost = lostAtPositions(positions, bounds);
  if (lost.length > 0) throw lossOf(lost);
}

/**
 * What the log no longer holds of a plan that was made just now.
 * @param bounds what it was made from
 * @throws DataLossError there is something, and `failOnDataLoss` is on
 */
export function lostOfPlan({ input }: Term, plan: Plan, bounds: readonly PartitionBounds[]): LostRange[] {
  return lostIfAllowed(input.job, lostParts(plan.ranges, bounds));
}

/**
 * The same of a plan from before. The log may be another one by now: then what was planned of it is lost as a whole,
 * whatever is at these offsets, since nobody has planned to read that.
 * @throws DataLossError there is something, and `failOnDataLoss` is on
 */
export async function lostOfOlderPlan(
  { input, reader }: Pick<Term, "input" | "reader">,
  { ranges }: Plan,
  signal: AbortSignal,
): Promise<LostRange[]> {
  const bounds = await reader.partitions(signal);
  const ends = ranges.flatMap(({ topic, partition, fromOffset, untilOffset: offset, untilMark: mark }) =>
    mark === undefined || fromOffset === offset ? [] : [{ topic, partition, offset, mark }],
  );
  const others = ends.length === 0 ? [] : await reader.mismatches(ends, signal);
  const reasons = new Map(others.map(({ position, reason }) => [partitionKey(position), reason]));
  const lost = ranges.flatMap((range) => {
    const reason = reasons.get(partitionKey(range));
    return reason === undefined ? lostParts([range], bounds) : [{ ...range, reason }];
  });
  return lostIfAllowed(input.job, lost);
}

function lostIfAllowed({ source }: Term["input"]["job"], lost: LostRange[]): LostRange[] {
  if (lost.length > 0 && source.failOnDataLoss) throw lossOf(lost);
  return lost;
}

function lossOf(lost: readonly LostRange[]): DataLossError {
  return new DataLossError(`the log no longer holds what is to be read next (${lost[0]?.reason})`, lost, {
    hint: "to go on without it: runtime reset job.ts --to-earliest, or set failOnDataLoss: false on the source",
  });
}
