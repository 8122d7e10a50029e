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
import type { JointTransaction } from "../contract/sink.ts";
import { originalError } from "../errors.ts";
import type { EndReason } from "../events.ts";
import type { BatchInHand } from "../journal/recover.ts";
import { countOffsets, type Plan, positionsAfter } from "../plan/plan.ts";
import { commitsBy, refusedCommits } from "./committer.ts";
import { withDeadline } from "./deadline.ts";
import { planOf, prepareInTerm, record } from "./in-term.ts";
import { withRecordOfRow } from "./locate-row.ts";
import { decideEnds, decideNow, type RunMemory, type Standing } from "./look.ts";
import type { PreparedBatch } from "./prepare-batch.ts";
import { runUnplanned } from "./run-unplanned.ts";
import type { Term } from "./term.ts";
import { type Due, waitForPlan } from "./wait-for-plan.ts";

/**
 * Runs batches until there is nothing left to do or `stopSignal` is aborted, which finishes the batch in hand first.
 */
export async function runTerm(term: Term, memory: RunMemory, stopSignal: AbortSignal): Promise<EndReason> {
  const { journal, input } = term;
  await decideEnds(term, memory);
  let inHand: BatchInHand | undefined = journal.state.inHand;
  if (inHand !== undefined) input.onEvent({ type: "resuming", plan: inHand.plan });
  if (input.job.commit !== "batch") {
    // What was planned while it was "batch" keeps its plan, and no other is planned with its completion.
    if (inHand !== undefined) await runInHand(term, memory, inHand, AbortSignal.abort());
    return await runUnplanned(term, memory, input.job.commit, stopSignal);
  }
  for (;;) {
    if (inHand === undefined) {
      const next = await waitForPlan(term, memory, stopSignal, { standing: standingOf(term) });
      if (next.do === "end") return next.reason;
      inHand = await recordPlan(term, memory, next);
    }
    inHand = await runInHand(term, memory, inHand, stopSignal);
  }
}

/** Runs only the batch in hand, if there is one: what a reset must do before it moves the position. */
export async function finishInHand(term: Term, memory: RunMemory): Promise<Plan | undefined> {
  const { inHand } = term.journal.state;
  if (inHand === undefined) return undefined;
  await runInHand(term, memory, inHand, AbortSignal.abort());
  return inHand.plan;
}

function standingOf({ journal }: Term): Standing {
  return { positions: journal.state.positions ?? [], nextBatchId: journal.state.nextBatchId };
}

async function recordPlan(term: Term, memory: RunMemory, decision: Due): Promise<BatchInHand> {
  const plan = await planOf(term, memory, decision, term.journal.state.nextBatchId);
  await record(term, memory, (signal) => term.journal.append({ kind: "plan", plan }, signal));
  term.input.onEvent({ type: "planned", plan, lag: decision.lag });
  return { plan, poison: [] };
}

/**
 * Runs a batch to its completion and gives the next one, if that was planned with it. Rows that sink and store can make
 * durable together with the entry are one transaction; else the sink commits first, and the entry follows.
 */
async function runInHand(
  term: Term,
  memory: RunMemory,
  inHand: BatchInHand,
  stopSignal: AbortSignal,
): Promise<BatchInHand | undefined> {
  memory.isInBatch = true;
  try {
    const next = await commitAndRecord(term, memory, inHand, stopSignal);
    memory.isInBatch = false;
    return next;
  } catch (error) {
    const { job, tasks, abortSignal: signal } = term.input;
    throw await withRecordOfRow(originalError(error), { job, reader: term.reader, tasks, inHand, signal });
  }
}

async function commitAndRecord(
  term: Term,
  memory: RunMemory,
  inHand: BatchInHand,
  stopSignal: AbortSignal,
): Promise<BatchInHand | undefined> {
  const { batchId, hash: planHash } = inHand.plan;
  const { job, clock, abortSignal } = term.input;
  /** A function sink's own commit of this batch, planned before the job's `commit` became "manual": its completion. */
  let early: Promise<BatchInHand | undefined> | undefined;
  const completeEarly = () => {
    early ??= recordCompletion(term, memory, inHand.plan, prepared, undefined, stopSignal);
    return early;
  };
  await using prepared: PreparedBatch = await prepareInTerm(term, inHand, {
    recordPoison: (records) =>
      record(term, memory, (signal) => term.journal.append({ kind: "poison", batchId, planHash, records }, signal)),
    commits: job.commit === "manual" ? commitsBy(completeEarly) : refusedCommits,
  });
  const { transaction } = prepared;
  const isJoint = transaction !== undefined && term.journal.canJoin(transaction);
  const deadline = { phase: "commit", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  await withDeadline(deadline, async () => {
    await prepared.commitDeadLetters();
    if (!isJoint) await prepared.commitRows();
  });
  if (early !== undefined) return await early;
  return await recordCompletion(term, memory, inHand.plan, prepared, isJoint ? transaction : undefined, stopSignal);
}

/** Records "N is complete", and "N+1 is planned" with it when N+1 is due now: then that is the batch in hand. */
async function recordCompletion(
  term: Term,
  memory: RunMemory,
  plan: Plan,
  { counts, lost }: PreparedBatch,
  rows: JointTransaction | undefined,
  stopSignal: AbortSignal,
): Promise<BatchInHand | undefined> {
  const { journal, input } = term;
  const positions = positionsAfter(journal.state.positions ?? [], plan);
  memory.waitingSinceMs = input.clock.elapsed();
  const standing = { positions, nextBatchId: plan.batchId + 1 };
  const decision = stopSignal.aborted ? undefined : await decideNow(term, memory, standing);
  const next = decision?.do === "plan" ? await planOf(term, memory, decision, plan.batchId + 1) : undefined;
  const { batchId, hash } = plan;
  const body = { kind: "complete", batchId, planHash: hash, positions, counts, lost, next } as const;
  await record(term, memory, (signal) => journal.append(body, signal, { customary: positions, rows }));
  memory.furthest = journal.state.nextBatchId;
  if (lost.length > 0) input.onEvent({ type: "lost", batchId, lost });
  const beyond = decision?.do === "end" ? 0n : decision?.lag;
  const lag = beyond === undefined ? undefined : beyond + countOffsets(next?.ranges ?? []);
  input.onEvent({ type: "completed", plan, counts, durationMs: counts.durationMs, lag });
  term.retention.completed();
  if (!journal.shows(positions)) term.showing.show(positions);
  if (next === undefined || decision?.do !== "plan") return undefined;
  input.onEvent({ type: "planned", plan: next, lag: decision.lag });
  return { plan: next, poison: [] };
}
