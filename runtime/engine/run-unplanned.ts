// The loop of one term without recorded plans (job option `commit`): at-least-once on every sink, and cheaper.
//
//   1. where a new job begins is recorded          or what its first batch should have read could be lost
//   2. ranges, from where the batch before ended   known to this process alone
//   3. their rows, prepared and committed          sinks keep no marker, since another plan may follow after a crash
//   4. a commit: all batches since the last one    after an interval and on stop, or when a function sink says so
//
// A position is never committed before the rows below it are durable; but with "manual" that is the function sink's
// own word. Whatever fails ends the term, and the next one goes on from the last commit.
import type { CommitMode } from "../contract/job.ts";
import type { Position } from "../contract/positions.ts";
import { originalError } from "../errors.ts";
import type { EndReason } from "../events.ts";
import { type Commit, NAMED_POISON_RECORDS } from "../journal/merge-commits.ts";
import { type Plan, type PoisonRecord, positionsAfter } from "../plan/plan.ts";
import { Committer, refusedCommits } from "./committer.ts";
import { withDeadline } from "./deadline.ts";
import { notePlanned, planOf, prepareInTerm, record } from "./in-term.ts";
import { withRecordOfRow } from "./locate-row.ts";
import { decideStarts, type RunMemory, type Standing } from "./look.ts";
import type { PreparedBatch } from "./prepare-batch.ts";
import type { Term } from "./term.ts";
import { type Due, waitForPlan } from "./wait-for-plan.ts";

export type UnplannedMode = Exclude<CommitMode, "batch">;

/** Runs batches until nothing is left to do, or `stopSignal` is aborted: that finishes the batch in hand first. */
export async function runUnplanned(
  term: Term,
  memory: RunMemory,
  mode: UnplannedMode,
  stopSignal: AbortSignal,
): Promise<EndReason> {
  await recordStarts(term, memory);
  await using committer = committerOf(term, memory);
  const loop = new UnplannedLoop(term, memory, mode, committer);
  try {
    const reason = await loop.run(stopSignal);
    await loop.commitRest();
    return reason;
  } catch (error) {
    // What is done need not be done again, if the log is not what failed.
    if (!committer.hasFailed) await loop.commitRest().catch(() => {});
    throw error;
  }
}

/** A new job's first positions become durable before anything is read. */
async function recordStarts(term: Term, memory: RunMemory): Promise<void> {
  const { journal, reader, input, bounds } = term;
  const { nextBatchId, positions: known = [] } = journal.state;
  if (nextBatchId > 0 || known.length > 0) return;
  const starts = await decideStarts(term, memory, bounds, input.abortSignal);
  if (starts.length === 0) return;
  const positions = await reader.mark(starts, input.abortSignal);
  const body = { kind: "reset", positions, nextBatchId, reason: "the job's start" } as const;
  await record(term, memory, (signal) => journal.append(body, signal, { customary: positions }));
}

function committerOf(term: Term, memory: RunMemory): Committer {
  const { journal, input, retention, showing } = term;
  return new Committer({
    append: (commit) =>
      record(term, memory, (signal) =>
        journal.append({ kind: "commit", ...commit }, signal, { customary: commit.positions }),
      ),
    onCommitted: ({ firstBatchId, batchId, positions }) => {
      memory.furthest = journal.state.nextBatchId;
      retention.completed();
      if (!journal.shows(positions)) showing.show(positions);
      input.onEvent({ type: "committed", firstBatchId, batchId });
    },
    onWarning: (message) => input.onEvent({ type: "warning", message }),
  });
}

class UnplannedLoop {
  readonly #term: Term;
  readonly #memory: RunMemory;
  readonly #mode: UnplannedMode;
  readonly #committer: Committer;
  #standing: Standing;
  #committedMs: number;

  constructor(term: Term, memory: RunMemory, mode: UnplannedMode, committer: Committer) {
    this.#term = term;
    this.#memory = memory;
    this.#mode = mode;
    this.#committer = committer;
    const { positions = [], nextBatchId } = term.journal.state;
    this.#standing = { positions, nextBatchId };
    this.#committedMs = term.input.clock.elapsed();
  }

  async run(stopSignal: AbortSignal): Promise<EndReason> {
    const committer = this.#committer;
    for (;;) {
      const next = await waitForPlan(this.#term, this.#memory, stopSignal, {
        standing: this.#standing,
        whileIdle: () => this.#commitWhenDue(),
        isAppending: () => committer.isCommitting,
      });
      committer.throwIfFailed();
      if (next.do === "end") return next.reason;
      const plan = await planOf(this.#term, next, this.#standing.nextBatchId);
      notePlanned(this.#term, this.#memory);
      this.#term.input.onEvent({ type: "planned", plan, lag: next.lag });
      await this.#runBatch(plan, next);
      committer.throwIfFailed();
    }
  }

  /** Commits what is left to commit, and waits for what is being committed. @throws why that has failed */
  async commitRest(): Promise<void> {
    const newest = this.#committer.newestBatchId;
    if (this.#mode !== "manual" && newest !== undefined) await this.#committer.commit(newest);
    await this.#committer.settled();
    this.#committer.throwIfFailed();
  }

  /** The time until the next commit may be due, in ms. */
  async #commitWhenDue(): Promise<number> {
    const committer = this.#committer;
    committer.throwIfFailed();
    const newest = committer.newestBatchId;
    if (this.#mode === "manual" || newest === undefined) return Number.POSITIVE_INFINITY;
    const { clock } = this.#term.input;
    const { autoCommitIntervalMs } = this.#mode;
    const leftMs = this.#committedMs + autoCommitIntervalMs - clock.elapsed();
    if (leftMs > 0) return leftMs;
    await committer.commit(newest);
    this.#committedMs = clock.elapsed();
    return autoCommitIntervalMs;
  }

  async #runBatch(plan: Plan, due: Due): Promise<void> {
    const { input, reader } = this.#term;
    const poison: PoisonRecord[] = [];
    this.#memory.isInBatch = true;
    const positions = positionsAfter(this.#standing.positions, plan);
    this.#term.reading.positions = positions;
    try {
      await this.#prepareAndWrite(plan, positions, poison, due);
    } catch (error) {
      const inHand = { plan, poison };
      const { job, tasks, abortSignal: signal } = input;
      throw await withRecordOfRow(originalError(error), { job, reader, tasks, inHand, signal });
    }
    this.#memory.isInBatch = false;
    this.#memory.waitingSinceMs = input.clock.elapsed();
    this.#standing = { positions, nextBatchId: plan.batchId + 1 };
    // A job that never commits gets on all the same.
    if (this.#mode === "manual") this.#memory.furthest = Math.max(this.#memory.furthest, plan.batchId + 1);
  }

  async #prepareAndWrite(
    plan: Plan,
    positions: readonly Position[],
    poison: PoisonRecord[],
    { bounds, lag }: Due,
  ): Promise<void> {
    const { job, clock, abortSignal, onEvent } = this.#term.input;
    const committer = this.#committer;
    const isManual = this.#mode === "manual";
    await using prepared = await prepareInTerm(
      this.#term,
      { plan, poison: [] },
      {
        bounds,
        isUnplanned: true,
        commits: isManual ? committer.commitsOf(plan.batchId) : refusedCommits,
        recordPoison: async (records) => void poison.push(...records),
      },
    );
    const commit = commitOf(plan, positions, prepared, poison);
    // The function sink may commit its own batch, when it has made the rows durable.
    if (isManual) committer.add(commit);
    const deadline = { phase: "commit", timeoutMs: job.phaseTimeoutMs, clock, signal: abortSignal } as const;
    await withDeadline(deadline, async () => {
      await prepared.commitDeadLetters();
      await prepared.commitRows();
    });
    if (!isManual) committer.add(commit);
    const { counts, lost } = prepared;
    const { batchId } = plan;
    if (lost.length > 0) onEvent({ type: "lost", batchId, lost });
    onEvent({ type: "completed", plan, counts, durationMs: counts.durationMs, lag });
  }
}

function commitOf(
  { batchId, ranges }: Plan,
  positions: readonly Position[],
  { counts, lost }: PreparedBatch,
  poison: readonly PoisonRecord[],
): Commit {
  const named = poison.slice(0, NAMED_POISON_RECORDS);
  return { firstBatchId: batchId, batchId, ranges, positions, counts, lost, poison: named };
}
