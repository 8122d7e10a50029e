// Decides what a job does next between two batches: plan one, wait, or end. Pure: time and bounds come in as numbers.
import type { Trigger } from "../contract/job.ts";
import type { Position } from "../contract/positions.ts";
import { partitionKey } from "../contract/positions.ts";
import { countOffsets } from "./plan.ts";
import { type PlanInput, type PlannedRanges, planRanges } from "./plan-ranges.ts";

export interface DecideInput extends Omit<PlanInput, "limit"> {
  readonly trigger: Trigger;
  readonly maxOffsets: number | undefined;
  readonly minOffsets: number;
  readonly maxDelayMs: number;
  /**
   * Where partitions without a position start may be lost if it is not recorded: "latest" or a time, but not
   * "earliest".
   */
  readonly mustRecordStarts: boolean;
  /** A bounded job ends when every partition has reached its end; a pinned end ("available-now") is one as well. */
  readonly isBounded: boolean;
  readonly nowMs: number;
  /** When this run began. */
  readonly runBeganMs: number;
  /** When the newest batch of this run was planned; undefined before the first. */
  readonly lastPlannedMs: number | undefined;
  /** When the newest batch, or this run, began to wait for more: what `maxDelayMs` counts from. */
  readonly waitingSinceMs: number;
  /** Batches that this run has planned. */
  readonly planned: number;
  /** How long to wait before looking again when nothing tells when data comes. */
  readonly pollMs: number;
}

export type Decision =
  /** `lag`: what is there beyond these ranges. */
  | { readonly do: "plan"; readonly ranges: PlannedRanges["ranges"]; readonly lag: bigint }
  /** `lag`: all that is there to be read. `until` "data": nothing is there, and the wait may end when something is. */
  | { readonly do: "wait"; readonly until: "time" | "data"; readonly ms: number; readonly lag: bigint }
  | { readonly do: "end"; readonly reason: "nothing-left" | "end-reached" };

/** The next step of a job that has no batch in hand. */
export function decide(input: DecideInput): Decision {
  const { trigger, minOffsets, maxDelayMs, nowMs, pollMs, planned } = input;
  if (trigger === "once" && planned > 0) return { do: "end", reason: "nothing-left" };
  const limit = trigger === "once" ? undefined : input.maxOffsets;
  const { ranges, lag } = planRanges({ ...input, limit });
  const waiting = countOffsets(ranges);
  const tickMs = nextTickMs(input);
  if (tickMs > nowMs) return { do: "wait", until: "time", ms: tickMs - nowMs, lag: waiting + lag };

  const isPinned = trigger === "once" || trigger === "available-now";
  if (waiting === 0n) {
    if (input.mustRecordStarts && ranges.length > 0) return { do: "plan", ranges, lag };
    if (isPinned) return { do: "end", reason: "nothing-left" };
    if (input.isBounded && hasReached(input.positions, input.ends)) return { do: "end", reason: "end-reached" };
    return { do: "wait", until: "data", ms: pollMs, lag };
  }
  // A last batch before a fixed end does not wait for offsets that will not come.
  const isLast = isPinned || (input.isBounded && lag === 0n && reachesEnd(input, ranges));
  const isEnough = waiting >= BigInt(minOffsets) || isLast || nowMs - input.waitingSinceMs >= maxDelayMs;
  if (!isEnough) {
    const delayMs = input.waitingSinceMs + maxDelayMs - nowMs;
    return { do: "wait", until: "time", ms: Math.min(pollMs, delayMs), lag: waiting + lag };
  }
  return { do: "plan", ranges, lag };
}

/** Interval batches begin at whole intervals since the run began; a late one begins at once. */
function nextTickMs({ trigger, lastPlannedMs, runBeganMs }: DecideInput): number {
  if (typeof trigger !== "object" || lastPlannedMs === undefined) return runBeganMs;
  const ticks = Math.floor((lastPlannedMs - runBeganMs) / trigger.intervalMs) + 1;
  return runBeganMs + ticks * trigger.intervalMs;
}

function hasReached(positions: readonly Position[], ends: readonly Position[] | undefined): boolean {
  const at = new Map(positions.map((position) => [partitionKey(position), position.offset]));
  return (ends ?? []).every((end) => (at.get(partitionKey(end)) ?? -1n) >= end.offset);
}

function reachesEnd(input: DecideInput, ranges: PlannedRanges["ranges"]): boolean {
  const after = ranges.map(({ topic, partition, untilOffset }) => ({ topic, partition, offset: untilOffset }));
  return hasReached([...input.positions, ...after], input.ends);
}
