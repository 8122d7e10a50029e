// What a job's log says about where the job stands: a pure fold over its entries, and the one place that knows which
// order of entries is possible. Anything else is CheckpointCorruptError: a position is never guessed.
//
//   entry                 then
//   plan N                batch N is in hand; a restart runs it again over the same ranges
//   poison N              batch N in hand leaves these records out
//   complete N            positions are those of the entry, nothing is in hand
//   complete N + plan N+1 positions are those of the entry, batch N+1 is in hand
//   commit N..M           positions are those of the entry; nothing was in hand, and batch M+1 is next
//   reset                 positions are those of the entry, nothing is in hand
//   begin                 a new epoch; for a copy or an import it starts a history anew, unusable until "arrived"
//   moving                nothing may follow but a copy
import { comparePartitions, type OffsetRange, type Position } from "../contract/positions.ts";
import { CheckpointCorruptError } from "../errors.ts";
import { finderIn } from "../plan/find-partition.ts";
import { type Plan, type PoisonRecord, positionsAfter } from "../plan/plan.ts";
import { type BeginEntry, type CommitEntry, type CompleteEntry, type JournalEntry, startsHistory } from "./entry.ts";

/** Where a job stands. */
export interface JobState {
  readonly jobName: string;
  readonly lineageId: string;
  /** The newest entry's seq. */
  readonly head: bigint;
  /** The newest epoch, and the run that it is part of. */
  readonly epoch: bigint;
  readonly runId: string;
  /** Who began it; undefined when that entry has been pruned. */
  readonly writer: BeginEntry | undefined;
  /** The next offset to read, by partition, sorted; undefined while the entries seen so far do not tell. */
  readonly positions: readonly Position[] | undefined;
  readonly nextBatchId: number;
  readonly inHand: BatchInHand | undefined;
  readonly lastCompletedAtMs: number | undefined;
  /** Where the checkpoint has moved to. */
  readonly movedTo: string | undefined;
  /** A copy or an import to this place has not arrived: not to be used. */
  readonly isPartialCopy: boolean;
}

/** A batch that is planned and not complete. */
export interface BatchInHand {
  readonly plan: Plan;
  readonly poison: readonly PoisonRecord[];
}

/**
 * The state after one more entry.
 * @param before undefined before the first entry that is read
 * @throws CheckpointCorruptError a hole, a foreign job, or an order that cannot be
 */
export function foldEntry(before: JobState | undefined, seq: bigint, entry: JournalEntry, jobName: string): JobState {
  const where = `entry ${seq} of the checkpoint of "${jobName}"`;
  if (entry.jobName !== jobName) {
    throw corrupt(`${where} belongs to the job "${entry.jobName}"`, "copy checkpoints with: runtime checkpoint copy");
  }
  const state = before === undefined || startsHistory(entry.body) ? emptyState(entry, seq) : before;
  if (state !== before) return applyBody({ ...state, head: seq }, seq, entry, where);
  if (seq !== state.head + 1n) {
    throw corrupt(`the checkpoint of "${jobName}" has a hole: entry ${state.head + 1n} is missing`);
  }
  if (entry.lineageId !== state.lineageId) {
    throw corrupt(`${where} has the lineage ${entry.lineageId}, but the entries before it ${state.lineageId}`);
  }
  if (state.movedTo !== undefined) throw corrupt(`${where} follows after the checkpoint moved to ${state.movedTo}`);
  const epoch = entry.body.kind === "begin" ? seq : state.epoch;
  if (entry.epoch !== epoch) {
    throw corrupt(
      `${where} was written in epoch ${entry.epoch}, after epoch ${state.epoch} had begun: the store let it in`,
    );
  }
  return applyBody({ ...state, head: seq }, seq, entry, where);
}

function emptyState(entry: JournalEntry, seq: bigint): JobState {
  return {
    jobName: entry.jobName,
    lineageId: entry.lineageId,
    head: seq - 1n,
    epoch: entry.epoch,
    runId: entry.runId,
    writer: undefined,
    // A log that begins at 0 begins with a job that never ran; else what came before is not known yet, and neither is
    // what comes from elsewhere.
    positions: seq === 0n && !startsHistory(entry.body) ? [] : undefined,
    nextBatchId: 0,
    inHand: undefined,
    lastCompletedAtMs: undefined,
    movedTo: undefined,
    isPartialCopy: false,
  };
}

function applyBody(state: JobState, seq: bigint, { body, runId, atMs }: JournalEntry, where: string): JobState {
  switch (body.kind) {
    case "begin": {
      const isPartialCopy = state.isPartialCopy || startsHistory(body);
      return { ...state, epoch: seq, runId, writer: body, isPartialCopy };
    }
    case "plan":
      return { ...state, inHand: planned(state, body.plan, where) };
    case "poison": {
      const inHand = sameBatch(state, body, where);
      if (inHand === undefined) return state;
      return { ...state, inHand: { ...inHand, poison: [...inHand.poison, ...body.records] } };
    }
    case "complete": {
      checkCompletion(state, body, where);
      const done = { ...state, positions: body.positions, nextBatchId: body.batchId + 1, inHand: undefined };
      const next = body.next === undefined ? undefined : planned(done, body.next, where);
      return { ...done, inHand: next, lastCompletedAtMs: atMs };
    }
    case "commit":
      checkCommit(state, body, where);
      return { ...state, positions: body.positions, nextBatchId: body.batchId + 1, lastCompletedAtMs: atMs };
    case "reset": {
      const { abandonedBatchId, positions, nextBatchId } = body;
      if (state.inHand !== undefined && state.inHand.plan.batchId !== abandonedBatchId) {
        throw corrupt(`${where} resets the job while batch ${state.inHand.plan.batchId} is in hand`);
      }
      const expected = abandonedBatchId === undefined ? state.nextBatchId : abandonedBatchId + 1;
      if (state.positions !== undefined && nextBatchId !== expected) {
        throw corrupt(`${where} says that batch ${nextBatchId} is next, but batch ${expected} is`);
      }
      return { ...state, positions, nextBatchId, inHand: undefined };
    }
    case "moving":
      return { ...state, movedTo: body.to };
    case "arrived":
      // A whole history that records no position is that of a job that never completed a batch.
      return { ...state, isPartialCopy: false, positions: state.positions ?? [] };
  }
}

function planned(state: JobState, plan: Plan, where: string): BatchInHand {
  if (state.inHand !== undefined) {
    const what = `${where} plans batch ${plan.batchId}`;
    if (state.inHand.plan.batchId !== plan.batchId) {
      throw corrupt(`${what} while batch ${state.inHand.plan.batchId} is in hand`);
    }
    throw corrupt(`${what} a second time${state.inHand.plan.hash === plan.hash ? "" : ", with other ranges"}`);
  }
  // Entries older than the history that is kept do not tell what came before a plan that is the first one seen.
  if (state.positions === undefined) return { plan, poison: [] };
  if (plan.batchId !== state.nextBatchId) {
    throw corrupt(`${where} plans batch ${plan.batchId}, but batch ${state.nextBatchId} is next`);
  }
  checkContiguous(state.positions, plan.ranges, `${where}, batch ${plan.batchId}`);
  return { plan, poison: [] };
}

function sameBatch(state: JobState, of: { batchId: number; planHash: string }, where: string): BatchInHand | undefined {
  if (state.inHand === undefined && state.positions === undefined) return undefined;
  if (state.inHand?.plan.batchId !== of.batchId)
    throw corrupt(`${where} is about batch ${of.batchId}, which is not in hand`);
  if (state.inHand.plan.hash !== of.planHash) throw corrupt(`${where} knows batch ${of.batchId} with another plan`);
  return state.inHand;
}

function checkCompletion(state: JobState, body: CompleteEntry, where: string): void {
  const inHand = sameBatch(state, body, where);
  if (inHand === undefined || state.positions === undefined) return;
  if (isSame(positionsAfter(state.positions, inHand.plan), body.positions)) return;
  throw corrupt(`${where} completes batch ${body.batchId} at other positions than its plan ends at`);
}

function checkCommit(state: JobState, body: CommitEntry, where: string): void {
  const { firstBatchId, batchId } = body;
  const what = `${where} commits batches ${firstBatchId} to ${batchId}`;
  if (state.inHand !== undefined) throw corrupt(`${what} while batch ${state.inHand.plan.batchId} is in hand`);
  if (batchId < firstBatchId) throw corrupt(`${what}, which is none`);
  if (state.positions === undefined) return;
  if (firstBatchId !== state.nextBatchId) throw corrupt(`${what}, but batch ${state.nextBatchId} is next`);
  checkContiguous(state.positions, body.ranges, what);
  if (isSame(positionsAfter(state.positions, body), body.positions)) return;
  throw corrupt(`${what} at other positions than their ranges end at`);
}

function isSame(some: readonly Position[], others: readonly Position[]): boolean {
  const isThere = (position: Position, index: number) => {
    const other = others[index];
    return other && comparePartitions(position, other) === 0 && position.offset === other.offset;
  };
  return some.length === others.length && some.every(isThere);
}

function checkContiguous(positions: readonly Position[], ranges: readonly OffsetRange[], where: string): void {
  const known = finderIn(positions);
  for (const range of ranges) {
    const at = known(range)?.offset;
    if (at === undefined || at === range.fromOffset) continue;
    throw corrupt(
      `${where}: ${range.topic}:${range.partition} begins at ${range.fromOffset}, but the batch before ended at ${at}`,
    );
  }
}

function corrupt(message: string, hint = "runtime doctor job.ts shows what is still whole"): CheckpointCorruptError {
  return new CheckpointCorruptError(message, { hint });
}
