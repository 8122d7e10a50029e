// The loop of one term. Its whole protocol:
//
//   1. the batch in hand, else a plan made and recorded now   a plan is durable before its records are read
//   2. its rows, prepared and committed                       prepare-batch.ts; all or none become visible
//   3. "complete", with the next plan when that is due now    one durable write a batch
//
// Whatever fails ends the term with its error. Nothing is repaired here: the next term recovers from the log, exactly
// as after a crash, so that there is one way to recover and it is always used.
import { partitionKey } from "../contract/positions.ts";
import type { JointTransaction } from "../contract/sink.ts";
import { originalError } from "../errors.ts";
import type { EndReason } from "../events.ts";
import type { BatchInHand } from "../journal/recover.ts";
import type { Decision } from "../plan/decide.ts";
import { countOffsets, makePlan, type Plan, positionsAfter } from "../plan/plan.ts";
import { withDeadline } from "./deadline.ts";
import { withRecordOfRow } from "./locate-row.ts";
import { decideEnds, decideNow, lostOfPlan, type RunMemory } from "./look.ts";
import { type PreparedBatch, prepareBatch } from "./prepare-batch.ts";
import type { Term } from "./term.ts";

const PROGRESS_EVERY_MS = 100;
/** A job that waits writes nothing, so it looks from time to time whether another run has taken over. */
const VERIFY_EVERY_MS = 2_000;

/**
 * Runs batches until there is nothing left to do or `stopSignal` is aborted, which finishes the batch in hand first.
 */
export async function runTerm(term: Term, memory: RunMemory, stopSignal: AbortSignal): Promise<EndReason> {
  const { journal, input } = term;
  await decideEnds(term, memory);
  let inHand: BatchInHand | undefined = journal.state.inHand;
  if (inHand !== undefined) input.onEvent({ type: "resuming", plan: inHand.plan });
  for (;;) {
    if (inHand === undefined) {
      const next = await waitForPlan(term, memory, stopSignal);
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

type Planned = Extract<Decision, { do: "plan" }>;
type Ended = { readonly do: "end"; readonly reason: EndReason };

async function waitForPlan(term: Term, memory: RunMemory, stopSignal: AbortSignal): Promise<Planned | Ended> {
  const { clock, onEvent, abortSignal } = term.input;
  let isIdle = false;
  let verifiedMs = clock.elapsed();
  for (;;) {
    if (stopSignal.aborted) return { do: "end", reason: "stopped" };
    if (clock.elapsed() - verifiedMs >= VERIFY_EVERY_MS) {
      await term.journal.verifyHead(abortSignal);
      verifiedMs = clock.elapsed();
    }
    const decision = await decideNow(term, memory);
    if (decision.do !== "wait") return decision;
    if (!isIdle) onEvent({ type: "idle", lag: decision.lag });
    isIdle = true;
    try {
      await clock.sleep(decision.ms, stopSignal);
    } catch {
      return { do: "end", reason: "stopped" };
    }
  }
}

async function recordPlan(term: Term, memory: RunMemory, decision: Planned): Promise<BatchInHand> {
  const plan = await planOf(term, memory, decision, term.journal.state.nextBatchId);
  await record(term, (signal) => term.journal.append({ kind: "plan", plan }, signal));
  term.input.onEvent({ type: "planned", plan, lag: decision.lag });
  return { plan, poison: [] };
}

async function planOf(term: Term, memory: RunMemory, { ranges }: Planned, batchId: number): Promise<Plan> {
  const { job, clock, abortSignal } = term.input;
  const ends = ranges.map(({ topic, partition, untilOffset }) => ({ topic, partition, offset: untilOffset }));
  const deadline = { phase: "plan", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  const marked = await withDeadline(deadline, (signal) => term.reader.mark(ends, signal));
  const marks = new Map(marked.map((position) => [partitionKey(position), position.mark]));
  const withMarks = ranges.map((range) => {
    const untilMark = marks.get(partitionKey(range));
    return untilMark === undefined ? range : { ...range, untilMark };
  });
  memory.lastPlannedMs = clock.elapsed();
  memory.planned++;
  return makePlan(term.journal.state.lineageId, batchId, withMarks);
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
  try {
    return await commitAndRecord(term, memory, inHand, stopSignal);
  } catch (error) {
    const { job, abortSignal: signal } = term.input;
    throw await withRecordOfRow(originalError(error), { job, reader: term.reader, inHand, signal });
  }
}

async function commitAndRecord(
  term: Term,
  memory: RunMemory,
  inHand: BatchInHand,
  stopSignal: AbortSignal,
): Promise<BatchInHand | undefined> {
  await using prepared = await prepare(term, inHand);
  const { transaction } = prepared;
  const isJoint = transaction !== undefined && term.journal.canJoin(transaction);
  const { job, clock, abortSignal } = term.input;
  const deadline = { phase: "commit", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
  await withDeadline(deadline, async () => {
    await prepared.commitDeadLetters();
    if (!isJoint) await prepared.commitRows();
  });
  return await recordCompletion(term, memory, inHand.plan, prepared, isJoint ? transaction : undefined, stopSignal);
}

async function prepare(term: Term, inHand: BatchInHand): Promise<PreparedBatch> {
  const { input, journal, reader, writer, deadLetterWriter } = term;
  const { job, clock, abortSignal, onEvent } = input;
  const { plan } = inHand;
  const ofOffsets = countOffsets(plan.ranges);
  let toldMs = clock.elapsed();
  return await prepareBatch({
    job,
    lineageId: journal.state.lineageId,
    reader,
    writer,
    deadLetterWriter,
    inHand,
    lost: lostOfPlan(term, plan, await reader.partitions(abortSignal)),
    clock,
    signal: abortSignal,
    recordPoison: async (records) => {
      const body = { kind: "poison", batchId: plan.batchId, planHash: plan.hash, records } as const;
      await record(term, (signal) => journal.append(body, signal));
      onEvent({ type: "poison", batchId: plan.batchId, records });
    },
    onProgress: (offsets) => {
      if (clock.elapsed() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = clock.elapsed();
      onEvent({ type: "progress", batchId: plan.batchId, offsets, ofOffsets });
    },
  });
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
  const decision = stopSignal.aborted ? undefined : await decideNow(term, memory, positions);
  const next = decision?.do === "plan" ? await planOf(term, memory, decision, plan.batchId + 1) : undefined;
  const { batchId, hash } = plan;
  const body = { kind: "complete", batchId, planHash: hash, positions, counts, lost, next } as const;
  await record(term, (signal) => journal.append(body, signal, { customary: positions, rows }));
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

function record(term: Term, append: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { job, clock, abortSignal } = term.input;
  return withDeadline({ phase: "record", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal }, append);
}
