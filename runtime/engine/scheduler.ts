// The loop of one term. Its whole protocol:
//
//   1. the batch in hand, else a plan made and recorded now   a plan is durable before its records are read
//   2. its rows, prepared and committed                       prepare-batch.ts; all or none become visible
//   3. "complete", with the next plan when that is due now    one durable write a batch
//
// (Without recorded plans, job option `commit`, the loop is another: run-unplanned.ts.)
//
// Whatever fails ends the term with its error. Nothing is repaired here: the next term recovers from the log, exactly
// as after a crash, so that there is one way to recover and it is always used.
import type { Position } from "../contract/positions.ts";
import type { JointTransaction } from "../contract/sink.ts";
import { originalError } from "../errors.ts";
import type { EndReason } from "../events.ts";
import type { BatchInHand } from "../journal/recover.ts";
import { countOffsets, type Plan, positionsAfter } from "../plan/plan.ts";
import { commitsBy, refusedCommits } from "./committer.ts";
import { withDeadline } from "./deadline.ts";
import { decideEarly, decideFollowing, type Following, leavesMore } from "./following.ts";
import { notePlanned, planOf, prepareInTerm, record } from "./in-term.ts";
import { withRecordOfRow } from "./locate-row.ts";
import { decideEnds, type RunMemory, type Standing } from "./look.ts";
import type { PreparedBatch } from "./prepare-batch.ts";
import { runUnplanned } from "./run-unplanned.ts";
import type { Term } from "./term.ts";
import { type Due, waitForPlan } from "./wait-for-plan.ts";

/** A batch in hand, with the decision that planned it if that was made just now. */
interface Planned {
  readonly inHand: BatchInHand;
  readonly due?: Due;
}

/**
 * Runs batches until there is nothing left to do or `stopSignal` is aborted, which finishes the batch in hand first.
 */
export async function runTerm(term: Term, memory: RunMemory, stopSignal: AbortSignal): Promise<EndReason> {
  const { journal, input } = term;
  await decideEnds(term, memory);
  const { inHand } = journal.state;
  if (inHand !== undefined) input.onEvent({ type: "resuming", plan: inHand.plan });
  if (input.job.commit !== "batch") {
    // What was planned while it was "batch" keeps its plan, and no other is planned with its completion.
    if (inHand !== undefined) await runInHand(term, memory, { inHand }, AbortSignal.abort());
    return await runUnplanned(term, memory, input.job.commit, stopSignal);
  }
  let planned: Planned | undefined = inHand && { inHand };
  for (;;) {
    if (planned === undefined) {
      const next = await waitForPlan(term, memory, stopSignal, { standing: standingOf(term) });
      if (next.do === "end") return next.reason;
      planned = await recordPlan(term, memory, next);
    }
    planned = await runInHand(term, memory, planned, stopSignal);
  }
}

/** Runs only the batch in hand, if there is one: what a reset must do before it moves the position. */
export async function finishInHand(term: Term, memory: RunMemory): Promise<Plan | undefined> {
  const { inHand } = term.journal.state;
  if (inHand === undefined) return undefined;
  await runInHand(term, memory, { inHand }, AbortSignal.abort());
  return inHand.plan;
}

function standingOf({ journal }: Term): Standing {
  return { positions: journal.state.positions ?? [], nextBatchId: journal.state.nextBatchId };
}

async function recordPlan(term: Term, memory: RunMemory, due: Due): Promise<Planned> {
  const plan = await planOf(term, due, term.journal.state.nextBatchId);
  notePlanned(term, memory);
  await record(term, memory, (signal) => term.journal.append({ kind: "plan", plan }, signal));
  term.input.onEvent({ type: "planned", plan, lag: due.lag });
  return { inHand: { plan, poison: [] }, due };
}

/**
 * Runs a batch to its completion and gives the next one, if that was planned with it. Rows that sink and store can make
 * durable together with the entry are one transaction; else the sink commits first, and the entry follows.
 */
async function runInHand(
  term: Term,
  memory: RunMemory,
  planned: Planned,
  stopSignal: AbortSignal,
): Promise<Planned | undefined> {
  memory.isInBatch = true;
  try {
    const next = await commitAndRecord(term, memory, planned, stopSignal);
    memory.isInBatch = false;
    return next;
  } catch (error) {
    const { job, tasks, abortSignal: signal } = term.input;
    const { inHand } = planned;
    throw await withRecordOfRow(originalError(error), { job, reader: term.reader, tasks, inHand, signal });
  }
}

async function commitAndRecord(
  term: Term,
  memory: RunMemory,
  { inHand, due }: Planned,
  stopSignal: AbortSignal,
): Promise<Planned | undefined> {
  const { plan } = inHand;
  const { batchId, hash: planHash } = plan;
  const { job, clock, abortSignal } = term.input;
  const positions = positionsAfter(term.journal.state.positions ?? [], plan);
  /** A function sink's own commit of this batch, planned before the job's `commit` became "manual": its completion. */
  let early: Promise<Planned | undefined> | undefined;
  const completeEarly = () => {
    early ??= recordCompletion(term, memory, { plan, positions, prepared }, stopSignal);
    return early;
  };
  await using prepared: PreparedBatch = await prepareInTerm(term, inHand, {
    bounds: due?.bounds,
    recordPoison: (records) =>
      record(term, memory, (signal) => term.journal.append({ kind: "poison", batchId, planHash, records }, signal)),
    commits: job.commit === "manual" ? commitsBy(completeEarly) : refusedCommits,
  });
  const { transaction } = prepared;
  const isJoint = transaction !== undefined && term.journal.canJoin(transaction);
  const isFollowed = leavesMore(due) && !stopSignal.aborted;
  await using looking = isFollowed ? decideEarly(term, memory, positions, batchId + 1) : undefined;
  const following = looking?.following;
  const deadline = { phase: "commit", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  await withDeadline(deadline, async () => {
    await prepared.commitDeadLetters();
    if (!isJoint) await prepared.commitRows();
  });
  if (early !== undefined) return await early;
  const rows = isJoint ? transaction : undefined;
  return await recordCompletion(term, memory, { plan, positions, prepared, rows, following }, stopSignal);
}

interface Completion {
  readonly plan: Plan;
  /** Of all partitions, behind the batch. */
  readonly positions: readonly Position[];
  readonly prepared: PreparedBatch;
  /** The sink's transaction, to be completed with the entry. */
  readonly rows?: JointTransaction | undefined;
  /** What follows, if that is being decided already. */
  readonly following?: Promise<Following | undefined> | undefined;
}

/** Records "N is complete", and "N+1 is planned" with it when N+1 is due now: then that is the batch in hand. */
async function recordCompletion(
  term: Term,
  memory: RunMemory,
  { plan, positions, prepared, rows, following }: Completion,
  stopSignal: AbortSignal,
): Promise<Planned | undefined> {
  const { journal, input } = term;
  const { counts, lost } = prepared;
  const { batchId, hash } = plan;
  memory.waitingSinceMs = input.clock.elapsed();
  const early = await following;
  const isOver = stopSignal.aborted;
  const next = isOver ? undefined : (early ?? (await decideFollowing(term, memory, positions, batchId + 1)));
  if (next?.plan !== undefined) notePlanned(term, memory);
  const body = { kind: "complete", batchId, planHash: hash, positions, counts, lost, next: next?.plan } as const;
  await record(term, memory, (signal) => journal.append(body, signal, { customary: positions, rows }));
  memory.furthest = journal.state.nextBatchId;
  if (lost.length > 0) input.onEvent({ type: "lost", batchId, lost });
  const beyond = next?.decision.do === "end" ? 0n : next?.decision.lag;
  const lag = beyond === undefined ? undefined : beyond + countOffsets(next?.plan?.ranges ?? []);
  input.onEvent({ type: "completed", plan, counts, durationMs: counts.durationMs, lag });
  term.retention.completed();
  if (!journal.shows(positions)) term.showing.show(positions);
  if (next?.plan === undefined || next.decision.do !== "plan") return undefined;
  input.onEvent({ type: "planned", plan: next.plan, lag: next.decision.lag });
  return { inHand: { plan: next.plan, poison: [] }, due: next.decision };
}
