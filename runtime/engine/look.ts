// Looks at the source and decides what comes next: where the log begins and ends now, whether it still holds what is to
// be read, and what that means under the job's trigger. The decisions themselves are pure, in runtime/plan.
import { earlier, type PartitionBounds, type Position, partitionKey } from "../contract/positions.ts";
import type { LostRange } from "../contract/source.ts";
import { DataLossError } from "../errors.ts";
import { type Decision, decide } from "../plan/decide.ts";
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
  /** Partitions that appear after the first look begin at their earliest, whatever `startingOffsets` says. */
  hasLooked: boolean;
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
    hasLooked: false,
  };
}

/** Looks at the source and decides; the positions are those after everything that is recorded. */
export async function decideNow(term: Term, memory: RunMemory, after?: readonly Position[]): Promise<Decision> {
  const { job, clock, abortSignal } = term.input;
  const { state } = term.journal;
  const positions = after ?? state.positions ?? [];
  const batchId = after === undefined ? state.nextBatchId : state.nextBatchId + 1;
  const deadline = { phase: "plan", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  return withDeadline(deadline, async (signal) => {
    const all = await term.reader.partitions(signal);
    checkNothingLost(term, positions, all);
    const bounds = pinned(all, job.trigger, memory.ends);
    const isNewJob = positions.length === 0 && batchId === 0 && !memory.hasLooked;
    memory.hasLooked = true;
    const spec = isNewJob ? job.source.startingOffsets : "earliest";
    const known = new Set(positions.map(partitionKey));
    const unknown = bounds.filter((bound) => !known.has(partitionKey(bound)));
    const starts = await resolveOffsets(spec, "start", unknown, (ms) => term.reader.offsetsAtTime(ms, signal));
    return decide({
      positions,
      starts,
      bounds,
      ends: memory.ends,
      batchId,
      trigger: job.trigger,
      maxOffsets: job.maxOffsetsPerBatch,
      minOffsets: job.minOffsetsPerBatch,
      maxDelayMs: job.maxTriggerDelayMs,
      mustRecordStarts: isNewJob && spec !== "earliest",
      isBounded: memory.ends !== undefined,
      nowMs: clock.elapsed(),
      runBeganMs: memory.runBeganMs,
      lastPlannedMs: memory.lastPlannedMs,
      waitingSinceMs: memory.waitingSinceMs,
      planned: memory.planned,
      pollMs: POLL_MS,
    });
  });
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
 * What the log no longer holds of a plan.
 * @throws DataLossError there is something, and `failOnDataLoss` is on
 */
export function lostOfPlan(term: Term, plan: Plan, bounds: readonly PartitionBounds[]): LostRange[] {
  const lost = lostParts(plan.ranges, bounds);
  if (lost.length > 0 && term.input.job.source.failOnDataLoss) throw lossOf(lost);
  return lost;
}

function lossOf(lost: readonly LostRange[]): DataLossError {
  return new DataLossError(`the log no longer holds what is to be read next (${lost[0]?.reason})`, lost, {
    hint: "to go on without it: runtime reset job.ts --to-earliest, or set failOnDataLoss: false on the source",
  });
}
