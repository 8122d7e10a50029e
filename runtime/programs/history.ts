// What the checkpoint knows of a job's batches: read-only, beside the live job.

import type { Job } from "../contract/job.ts";
import type { OffsetRange, Position } from "../contract/positions.ts";
import type { CheckpointStore } from "../contract/store.ts";
import { type BatchCounts, type CommitEntry, startsHistory } from "../journal/entry.ts";
import { type NumberedJournalEntry, readEntries, readSteadily } from "../journal/journal.ts";
import { foldEntry, type JobState } from "../journal/recover.ts";
import { type Plan, type PoisonRecord, planHash, positionsAfter } from "../plan/plan.ts";
import { type ProgramOptions, warnWhenMoved, withProgram } from "./program.ts";

/** One batch as the checkpoint has it; or several in a row, where `commit` recorded them together. */
export interface BatchRecord {
  /** The number of the first of them; the same as `batchId` but for several. */
  readonly firstBatchId: number;
  readonly batchId: number;
  /** "planned": in hand, it runs again at the next start. "abandoned": given up by a reset, its rows may be visible. */
  readonly state: "planned" | "completed" | "abandoned";
  readonly planHash: string;
  readonly lineageId: string;
  readonly ranges: readonly OffsetRange[];
  /** undefined: its plan was not recorded (job option `commit`). */
  readonly plannedAtMs: number | undefined;
  readonly completedAtMs: number | undefined;
  readonly counts: BatchCounts | undefined;
  readonly poison: readonly PoisonRecord[];
  readonly lost: readonly OffsetRange[];
  /** Where each partition stood before this batch; undefined when the kept history does not reach back. */
  readonly positionsBefore: readonly Position[] | undefined;
}

export interface BatchesOptions extends ProgramOptions {
  /** The newest so many; default: all that are kept. */
  readonly limit?: number;
}

/** The kept batches of a job, newest first; empty when it never ran. @throws CheckpointCorruptError */
export function batches(job: Job, options: BatchesOptions = {}): Promise<BatchRecord[]> {
  return withProgram(job, options, async ({ store, job: { name }, signal, openContext }) => {
    const history = await readHistory(store, name, signal);
    warnWhenMoved(history.state, openContext);
    return history.batches.reverse().slice(0, options.limit);
  });
}

export interface History {
  readonly state: JobState | undefined;
  /** Oldest first. */
  readonly batches: BatchRecord[];
}

/** Reads a job's whole kept log. @throws CheckpointCorruptError */
export async function readHistory(store: CheckpointStore, jobName: string, signal: AbortSignal): Promise<History> {
  const history = await readSteadily(store, jobName, signal, async ({ first }) => {
    const builder = new HistoryBuilder();
    let state: JobState | undefined;
    for await (const entry of readEntries(store, jobName, first, signal)) {
      const before = state?.positions;
      state = foldEntry(state, entry.seq, entry, jobName);
      builder.add(entry, before);
    }
    return { state, batches: builder.batches };
  });
  return history ?? { state: undefined, batches: [] };
}

/** Puts batches together from entries in order. */
class HistoryBuilder {
  readonly batches: BatchRecord[] = [];

  add({ atMs, lineageId, body }: NumberedJournalEntry, positionsBefore: readonly Position[] | undefined): void {
    switch (body.kind) {
      case "begin":
        if (startsHistory(body)) this.batches.length = 0;
        return;
      case "plan":
        this.#planned(body.plan, lineageId, atMs, positionsBefore);
        return;
      case "poison":
        this.#change(body.batchId, (batch) => ({ ...batch, poison: [...batch.poison, ...body.records] }));
        return;
      case "complete": {
        const { counts, lost } = body;
        this.#change(body.batchId, (batch) => ({ ...batch, state: "completed", completedAtMs: atMs, counts, lost }));
        if (body.next !== undefined) this.#planned(body.next, lineageId, atMs, body.positions);
        return;
      }
      case "commit":
        this.#committed(body, lineageId, atMs, positionsBefore);
        return;
      case "reset":
        if (body.abandonedBatchId === undefined) return;
        this.#change(body.abandonedBatchId, (batch) => ({ ...batch, state: "abandoned" }));
        return;
      default:
    }
  }

  #planned(plan: Plan, lineageId: string, plannedAtMs: number, before: readonly Position[] | undefined): void {
    const { batchId, hash, ranges } = plan;
    const positionsBefore = before ?? (batchId === 0 ? [] : undefined);
    const unknown = { completedAtMs: undefined, counts: undefined, poison: [], lost: [] };
    const batch = {
      firstBatchId: batchId,
      batchId,
      planHash: hash,
      lineageId,
      ranges,
      plannedAtMs,
      positionsBefore,
      ...unknown,
    };
    this.batches.push({ ...batch, state: "planned" });
  }

  #committed(body: CommitEntry, lineageId: string, atMs: number, before: readonly Position[] | undefined): void {
    const { firstBatchId, batchId, ranges, counts, lost, poison } = body;
    const hash = planHash(lineageId, batchId, ranges);
    const times = { plannedAtMs: undefined, completedAtMs: atMs };
    const what = { firstBatchId, batchId, planHash: hash, lineageId, ranges, counts, lost, poison };
    this.batches.push({ ...what, ...times, positionsBefore: before, state: "completed" });
  }

  /** A batch whose plan is older than the kept history is left out. */
  #change(batchId: number, change: (batch: BatchRecord) => BatchRecord): void {
    const last = this.batches.at(-1);
    if (last?.batchId === batchId) this.batches[this.batches.length - 1] = change(last);
  }
}

/** Where each partition stood before a batch and after it. */
export function positionsAround(batch: BatchRecord): { before: readonly Position[]; after: readonly Position[] } {
  const before = batch.positionsBefore ?? batch.ranges.map(startOf);
  const plan = { batchId: batch.batchId, hash: batch.planHash, ranges: batch.ranges };
  return { before, after: positionsAfter(before, plan) };
}

function startOf({ topic, partition, fromOffset }: OffsetRange): Position {
  return { topic, partition, offset: fromOffset };
}
