// What is told of a program's runs: speeds and costs as medians with their ranges, and when a ratio of two may be told
// at all. Pure.
import { type Spread, spread } from "../report.ts";
import type { RunReport } from "./contestant.ts";
import type { MeasuredProcess } from "./measure-process.ts";

/** One run. Speeds are records a second. */
export interface Figures {
  /** From the job's start to its result; of a program that does not tell, as `whole`. */
  readonly work: number;
  /** From the first record to the result; undefined where it is not known. */
  readonly fromFirst: number | undefined;
  /** From the process' start to its end. */
  readonly whole: number;
  /** From the process' start to the first record or batch, seconds. */
  readonly startSeconds: number | undefined;
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

/** All runs of one program. */
export interface Summary {
  readonly work: Spread;
  readonly fromFirst: Spread | undefined;
  readonly whole: Spread;
  readonly startSeconds: Spread | undefined;
  readonly cpuSeconds: Spread;
  readonly peakMb: number;
  readonly rounds: number;
}

export interface Ratio {
  /** Of the medians. */
  readonly times: number;
  /** The whole ranges are apart: only then does it say anything. */
  readonly counts: boolean;
}

/**
 * The figures of one run over `records`.
 * @throws Error the program did not tell how long its work took, though it does
 */
export function figuresOf(records: number, process: MeasuredProcess, report: RunReport): Figures {
  const { spawnedAtMs, exitedAtMs, cpuSeconds, peakMb } = process;
  const { startedAtMs = spawnedAtMs, firstRecordAtMs, doneAtMs = exitedAtMs } = report;
  const { workMs = doneAtMs - startedAtMs } = report;
  if (!Number.isFinite(workMs)) throw new Error("what it printed does not tell how long its work took");
  // Clocks tell whole milliseconds.
  const perSecond = (fromMs: number, untilMs: number) => (records / Math.max(1, untilMs - fromMs)) * 1000;
  return {
    work: perSecond(0, workMs),
    fromFirst: firstRecordAtMs === undefined ? undefined : perSecond(firstRecordAtMs, doneAtMs),
    whole: perSecond(spawnedAtMs, exitedAtMs),
    startSeconds: firstRecordAtMs === undefined ? undefined : (firstRecordAtMs - spawnedAtMs) / 1000,
    cpuSeconds,
    peakMb,
  };
}

/** Undefined when there was no run. */
export function summaryOf(runs: readonly Figures[]): Summary | undefined {
  if (runs.length === 0) return undefined;
  const known = (numbers: readonly (number | undefined)[]) => {
    const told = numbers.filter((number) => number !== undefined);
    return told.length === runs.length ? spread(told) : undefined;
  };
  return {
    work: spread(runs.map(({ work }) => work)),
    fromFirst: known(runs.map(({ fromFirst }) => fromFirst)),
    whole: spread(runs.map(({ whole }) => whole)),
    startSeconds: known(runs.map(({ startSeconds }) => startSeconds)),
    cpuSeconds: spread(runs.map(({ cpuSeconds }) => cpuSeconds)),
    peakMb: Math.max(...runs.map(({ peakMb }) => peakMb)),
    rounds: runs.length,
  };
}

/** How many times `one` is of `other`; a single round has no range, so nothing counts. */
export function ratioOf(one: Spread, other: Spread, rounds: number): Ratio {
  const areApart = one.min > other.max || one.max < other.min;
  return { times: one.median / other.median, counts: rounds > 1 && areApart };
}
