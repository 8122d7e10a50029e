// `doctor`: connects to everything a job uses, reads its checkpoint from end to end, and says what to type about what
// it finds. It changes nothing.
import type { Job } from "../contract/job.ts";
import { formatRange } from "../contract/positions.ts";
import { freshHeartbeat } from "../engine/heartbeat.ts";
import { checkNoLogIsLost } from "../engine/lost-log.ts";
import { messageOf, TidemarkError } from "../errors.ts";
import { brokenOff } from "../journal/may-take-over.ts";
import { lostAtPositions, lostParts } from "../plan/plan-ranges.ts";
import { guaranteeOf } from "./guarantee.ts";
import { type History, readHistory } from "./history.ts";
import { type ProgramContext, type ProgramOptions, withProgram } from "./program.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warning" | "problem";
  readonly detail: string;
  /** What to type or change. */
  readonly hint?: string;
}

/**
 * All findings, in the order of looking: store, checkpoint, other runs, source, positions. Problems are findings, not
 * errors.
 */
export function doctor(job: Job, options: ProgramOptions = {}): Promise<Finding[]> {
  return withProgram(job, options, async (context) => {
    const findings: Finding[] = [];
    await storeFindings(context, findings);
    const history = await checkpointFindings(context, findings);
    await otherRunFindings(context, findings);
    await sourceFindings(context, findings, history);
    findings.push({ check: "sink", status: "ok", detail: sinkDetail(context.job) });
    return findings;
  });
}

function sinkDetail(job: ProgramContext["job"]): string {
  const { sink } = job;
  const guarantee = guaranteeOf(job);
  const why = guarantee === sink.guarantee ? "" : ', for commit is not "batch"';
  return `${sink.target ?? sink.kind}: ${guarantee}${why}`;
}

async function storeFindings({ store, signal }: ProgramContext, findings: Finding[]): Promise<void> {
  await attempt("store", findings, async () => {
    const found = await store.describe?.(signal);
    const detail = found === undefined ? store.url : `${store.url} (${found})`;
    const notes = await store.examine(signal);
    if (notes.length === 0 || found !== undefined) findings.push({ check: "store", status: "ok", detail });
    for (const note of notes) findings.push({ check: "store", status: "warning", detail: note });
  });
}

async function checkpointFindings(
  { store, job, signal }: ProgramContext,
  findings: Finding[],
): Promise<History | undefined> {
  return attempt("checkpoint", findings, async () => {
    const history = await readHistory(store, job.name, signal);
    const { state } = history;
    if (state === undefined) {
      findings.push({
        check: "checkpoint",
        status: "ok",
        detail: `"${job.name}" never ran here: it starts as a new job`,
      });
      return history;
    }
    const lineage = state.lineageId.slice(0, 8);
    const count = history.batches.length;
    const kept = `${count} ${count === 1 ? "batch" : "batches"} kept, next is ${state.nextBatchId}, lineage ${lineage}`;
    findings.push({ check: "checkpoint", status: "ok", detail: `whole, no holes: ${kept}` });
    if (state.movedTo !== undefined) {
      const detail = `it has moved to ${state.movedTo}`;
      findings.push({ check: "checkpoint", status: "problem", detail, hint: `set checkpoint: "${state.movedTo}"` });
    }
    if (state.isPartialCopy) {
      const { what, hint } = brokenOff(state);
      findings.push({ check: "checkpoint", status: "problem", detail: `it is ${what} that was broken off`, hint });
    }
    if (state.inHand !== undefined) {
      const { batchId, ranges } = state.inHand.plan;
      const detail = `batch ${batchId} is planned and not complete (${ranges.length} ranges)`;
      findings.push({
        check: "batch in hand",
        status: "ok",
        detail,
        hint: "runtime start runs it again, over the same ranges",
      });
    }
    return history;
  });
}

async function otherRunFindings({ store, job, clock, signal }: ProgramContext, findings: Finding[]): Promise<void> {
  await attempt("other runs", findings, async () => {
    const running = await freshHeartbeat(store, job.name, clock, signal);
    const detail = running ? `${running.host} pid ${running.pid} runs it now (epoch ${running.epoch})` : "none";
    findings.push({ check: "other runs", status: "ok", detail });
  });
}

async function sourceFindings(
  context: ProgramContext,
  findings: Finding[],
  history: History | undefined,
): Promise<void> {
  const { job, openContext, signal } = context;
  await attempt("source", findings, async () => {
    await using reader = await job.source.open(openContext, signal);
    const bounds = await reader.partitions(signal);
    const offsets = bounds.reduce((sum, { earliest, latest }) => sum + latest - earliest, 0n);
    const detail = `${job.source.kind}: ${bounds.length} partitions, ${offsets} offsets`;
    if (bounds.length > 0) findings.push({ check: "source", status: "ok", detail });
    else
      findings.push({
        check: "source",
        status: "warning",
        detail,
        hint: "is it the right place? There is nothing in it",
      });
    if (history === undefined) return;
    const { state } = history;
    if (state === undefined) {
      // Where `start` would refuse, so does this.
      await attempt("checkpoint", findings, () => checkNoLogIsLost(context.store, reader, job.name, signal));
      return;
    }
    const positions = state.positions ?? [];
    const outside = [...lostAtPositions(positions, bounds), ...lostParts(state.inHand?.plan.ranges ?? [], bounds)];
    const inside = positions.filter((p) => !outside.some((o) => o.topic === p.topic && o.partition === p.partition));
    const others = await reader.mismatches(inside, signal);
    const hint = "runtime reset job.ts --to-earliest goes on without it; better: bring the old log back";
    for (const lost of outside) {
      findings.push({
        check: "positions",
        status: "problem",
        detail: `${formatRange(lost)} is lost: ${lost.reason}`,
        hint,
      });
    }
    for (const { position, reason } of others) {
      const where = `${position.topic}:${position.partition} at ${position.offset}`;
      findings.push({ check: "positions", status: "problem", detail: `${where}: ${reason}`, hint });
    }
    if (outside.length + others.length === 0) {
      findings.push({ check: "positions", status: "ok", detail: `${positions.length} positions fit the log` });
    }
  });
}

/** Runs one check; what it throws is a finding. */
async function attempt<T>(check: string, findings: Finding[], look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const hint = error instanceof TidemarkError && error.hint !== undefined ? { hint: error.hint } : {};
    findings.push({ check, status: "problem", detail: messageOf(error), ...hint });
    return undefined;
  }
}
