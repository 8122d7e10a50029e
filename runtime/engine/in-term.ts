// The steps of a batch that are the same with recorded plans and without, done with what a term has open.
import { type PartitionBounds, partitionKey } from "../contract/positions.ts";
import type { BatchCommits } from "../contract/sink.ts";
import type { BatchInHand } from "../journal/recover.ts";
import { countOffsets, makePlan, type Plan, type PoisonRecord } from "../plan/plan.ts";
import { withDeadline } from "./deadline.ts";
import { lostOfOlderPlan, lostOfPlan, type RunMemory } from "./look.ts";
import { type PreparedBatch, prepareBatch } from "./prepare-batch.ts";
import type { Term } from "./term.ts";
import type { Due } from "./wait-for-plan.ts";

const PROGRESS_EVERY_MS = 100;

/** Makes a plan of ranges that are due, with the marks of the log at their ends. Records nothing. */
export async function planOf(term: Term, { ranges }: Due, batchId: number): Promise<Plan> {
  const { job, clock, abortSignal } = term.input;
  const ends = ranges.map(({ topic, partition, untilOffset }) => ({ topic, partition, offset: untilOffset }));
  const deadline = { phase: "plan", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  const marked = await withDeadline(deadline, (signal) => term.reader.mark(ends, signal));
  const marks = new Map(marked.map((position) => [partitionKey(position), position.mark]));
  const withMarks = ranges.map((range) => {
    const untilMark = marks.get(partitionKey(range));
    return untilMark === undefined ? range : { ...range, untilMark };
  });
  return makePlan(term.journal.state.lineageId, batchId, withMarks);
}

/** A plan counts for the trigger from here on. */
export function notePlanned({ input }: Term, memory: RunMemory): void {
  memory.lastPlannedMs = input.clock.elapsed();
  memory.planned++;
}

export interface HowToPrepare {
  /** The partitions as they were when the plan was made, just now; undefined: it is older. */
  readonly bounds: readonly PartitionBounds[] | undefined;
  /** Makes a decision about poison records durable, where plans are. */
  readonly recordPoison: (records: readonly PoisonRecord[]) => Promise<void>;
  readonly commits: BatchCommits;
  readonly isUnplanned?: boolean;
}

/** Prepares a batch, and tells the job's listener of its progress and its poison records. */
export async function prepareInTerm(
  term: Term,
  inHand: BatchInHand,
  { bounds, recordPoison, commits, isUnplanned = false }: HowToPrepare,
): Promise<PreparedBatch> {
  const { input, journal, ahead, writer, deadLetterWriter } = term;
  const { job, clock, abortSignal, onEvent } = input;
  const { plan } = inHand;
  const ofOffsets = countOffsets(plan.ranges);
  let toldMs = clock.elapsed();
  return await prepareBatch({
    job,
    lineageId: journal.state.lineageId,
    reader: ahead,
    writer,
    tasks: input.tasks,
    deadLetterWriter,
    inHand,
    isUnplanned,
    commits,
    lost: bounds ? lostOfPlan(term, plan, bounds) : await lostOfOlderPlan(term, plan, abortSignal),
    clock,
    signal: abortSignal,
    recordPoison: async (records) => {
      await recordPoison(records);
      onEvent({ type: "poison", batchId: plan.batchId, records });
    },
    onProgress: (offsets) => {
      if (clock.elapsed() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = clock.elapsed();
      onEvent({ type: "progress", batchId: plan.batchId, offsets, ofOffsets });
    },
  });
}

/** Appends to the log within the deadline of its phase. */
export async function record(
  { input: { job, clock, abortSignal } }: Term,
  memory: RunMemory,
  append: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const deadline = { phase: "record", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  await withDeadline(deadline, append);
  memory.verifiedMs = clock.elapsed();
}
