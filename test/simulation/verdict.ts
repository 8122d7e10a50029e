// Judges a simulated world when all is quiet: is everything that was ever in the log visible exactly once and in
// order, unless the history says otherwise; and did every process end the way it may?

import { judgeAtLeastOnce } from "./at-least-once.ts";
import { type CompletedBatch, type Lineage, rowOf } from "./lineage.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Committed } from "./simulated-sink.ts";
import type { SimulatedLog } from "./simulated-store.ts";
import type { SimulatedWorld } from "./world.ts";

/** Violates unless the newest lineage has done all there is to do, exactly once. */
export function judgeOutput(world: SimulatedWorld): void {
  const lineage = world.ledger.newest;
  if (lineage === undefined) {
    world.violate("no run has begun the job");
    return;
  }
  judgePositions(world, lineage);
  judgeOrder(world, lineage);
  for (const batch of lineage.completed) judgeBatch(world, lineage, batch);
  if (lineage.resets > 0) return;
  if (lineage.wasUnplanned) judgeAtLeastOnce(world, lineage);
  else judgeEachRecordOnce(world, lineage);
}

function judgePositions(world: SimulatedWorld, lineage: Lineage): void {
  if (lineage.inHand !== undefined) world.violate(`batch ${lineage.inHand.batchId} is still in hand`);
  for (const { partition, latest, earliest } of world.topic.bounds) {
    const recorded = lineage.positions.get(partition) ?? earliest;
    // What is gone at the very end is recorded as lost with the next batch.
    const at = recorded < earliest ? earliest : recorded;
    if (at !== latest) world.violate(`partition ${partition} was read to ${at} of ${latest}`);
  }
  const customary = lineage.home.customary.map(({ partition, offset }) => `${partition}:${offset}`).join();
  const positions = [...lineage.positions].sort(([a], [b]) => a - b).map(([partition, at]) => `${partition}:${at}`);
  if (customary !== positions.join())
    world.violate(`2.5 the customary place has ${customary}, not ${positions.join()}`);
}

/** Batches become visible in their order; one that was given up may come late where nobody can refuse it. */
function judgeOrder(world: SimulatedWorld, lineage: Lineage): void {
  const batchIds = commitsOf(world, lineage)
    .map(({ batchId }) => batchId)
    .filter((batchId) => !lineage.abandoned.has(batchId));
  if (batchIds.some((batchId, index) => batchId <= (batchIds[index - 1] ?? -1))) {
    world.violate(`2.3 batches became visible in the order ${batchIds.join()}`);
  }
}

function judgeBatch(world: SimulatedWorld, lineage: Lineage, { plan, poison, lost }: CompletedBatch): void {
  const commit = commitsOf(world, lineage).find(({ batchId }) => batchId === plan.batchId);
  const visible = new Set(commit?.rows ?? []);
  const isLost = (partition: number, offset: bigint) =>
    lost.some((part) => part.partition === partition && part.fromOffset <= offset && offset < part.untilOffset);
  const bad: string[] = [];
  for (const range of plan.ranges) {
    for (const { offset, kind } of world.topic.everIn(range)) {
      const row = rowOf(range.partition, offset);
      if (kind === "undecodable" || kind === "throws") bad.push(row);
      // Where nobody can refuse an old writer, it may have written with less while the new one saw more.
      const mayBeMissing = isLost(range.partition, offset) || world.table.kind === "unique";
      const isForgotten = offset < world.topic.partition(range.partition).earliest;
      if (kind !== "good" || visible.has(row) || (isForgotten && mayBeMissing)) continue;
      world.violate(`2.8 ${row} is missing from batch ${plan.batchId}, and not recorded as lost`);
    }
  }
  const decided = poison.map(({ partition, offset }) => rowOf(partition, offset)).sort();
  const isJust = decided.every((row) => bad.includes(row)) && (lost.length > 0 || decided.length === bad.length);
  if (!isJust) world.violate(`2.11 batch ${plan.batchId} left out ${decided.join()}, but ${bad.join()} is poison`);
  judgeDeadLetters(world, lineage, plan.batchId, decided);
}

function judgeDeadLetters(world: SimulatedWorld, lineage: Lineage, batchId: number, decided: readonly string[]): void {
  const { commits } = world.deadLetters;
  // A job that only skips poison records sends no letters at all.
  if (commits.length === 0) return;
  const sent = commits.filter(
    (commit) => commit.lineageId === lineage.id && commit.batchId === batchId && !commit.isUnplanned,
  );
  const letters = sent.flatMap(({ rows }) => rows as { partition: number; offset: string }[]);
  const named = letters.map(({ partition, offset }) => rowOf(partition, BigInt(offset))).sort();
  if (named.join() !== decided.join()) {
    world.violate(`2.11 the dead letters of batch ${batchId} are ${named.join()}, not ${decided.join()}`);
  }
}

/** Said once more without plans: from where the job began, each good record that was not forgotten, once, in order. */
function judgeEachRecordOnce(world: SimulatedWorld, lineage: Lineage): void {
  const rows = commitsOf(world, lineage).flatMap((commit) => commit.rows as string[]);
  for (const { partition, latest, earliest } of world.topic.bounds) {
    const ranges = [...lineage.plans.values()].flatMap((plan) => plan.ranges);
    const fromOffset = ranges.find((range) => range.partition === partition)?.fromOffset ?? latest;
    const expected = world.topic
      .everIn({ topic: "", partition, fromOffset, untilOffset: latest })
      .filter(({ kind }) => kind === "good")
      .filter(({ offset }) => offset >= earliest || rows.includes(rowOf(partition, offset)))
      .map(({ offset }) => rowOf(partition, offset));
    const visible = rows.filter((row) => row.startsWith(`${partition}:`));
    if (visible.join() !== expected.join()) {
      world.violate(`2.3 partition ${partition} gave ${visible.join()} instead of ${expected.join()}`);
    }
  }
}

function commitsOf(world: SimulatedWorld, lineage: Lineage): Committed[] {
  return world.table.commits.filter(({ lineageId, isUnplanned }) => lineageId === lineage.id && !isUnplanned);
}

export interface MayEnd {
  /** Long trouble: phases run into their deadlines, retries give up. */
  readonly inTrouble: boolean;
  readonly wasAborted: boolean;
  /** A program that refuses to begin beside a run, or where the job has moved away. */
  readonly mayRefuse: boolean;
}

/** Violates unless a process ended, or failed, in a way that the world explains. */
export function judgeEnd(
  world: SimulatedWorld,
  process: SimulatedProcess,
  logs: readonly SimulatedLog[],
  may: MayEnd,
): void {
  const { outcome } = process;
  if (outcome === undefined || "value" in outcome) return;
  const { error } = outcome;
  const { runtime } = world;
  const what = `${process.name} ended with ${String(error)}`;
  if (may.wasAborted && process.abortSignal.aborted && error === process.abortSignal.reason) return;
  if (error instanceof runtime.FencedError) {
    const isNewest = logs.every((log) => (world.ledger.writerOf(log) ?? process.name) === process.name);
    if (isNewest) world.violate(`2.5 ${what}, but no newer epoch is in the log`);
    return;
  }
  const isRefusal = error instanceof runtime.ConfigError || error instanceof runtime.CheckpointMissingError;
  if (isRefusal && may.mayRefuse) return;
  const isTrouble =
    error instanceof runtime.TransientError ||
    error instanceof runtime.OutcomeUnknownError ||
    (error instanceof runtime.PipelineError && error.code === "PHASE_TIMEOUT");
  if (isTrouble && may.inTrouble) return;
  world.violate(what);
}
