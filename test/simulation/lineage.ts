// What the ledger knows of one lineage of the simulated job, and the rows that its records become.
import type { OffsetRange } from "../../runtime/contract/positions.ts";
import type { Plan, PoisonRecord } from "../../runtime/plan/plan.ts";
import type { SimulatedLog } from "./simulated-store.ts";

/** A batch that is recorded as complete. */
export interface CompletedBatch {
  readonly plan: Plan;
  readonly poison: readonly PoisonRecord[];
  readonly lost: readonly OffsetRange[];
}

/** All that was ever recorded of one lineage. */
export interface Lineage {
  readonly id: string;
  /** By partition number. */
  positions: Map<number, bigint>;
  epoch: bigint;
  nextBatchId: number;
  inHand: Plan | undefined;
  poison: PoisonRecord[];
  readonly plans: Map<number, Plan>;
  readonly completed: CompletedBatch[];
  readonly abandoned: Set<number>;
  /** Where each partition was begun to be read. */
  readonly begins: Map<number, bigint>;
  /** Whether batches ran without recorded plans. */
  wasUnplanned: boolean;
  resets: number;
  home: SimulatedLog;
  movedTo: string | undefined;
  /** Plans, poison, completions and resets in order, as text. */
  readonly history: string[];
}

/** A row of the simulated pipeline. */
export function rowOf(partition: number, offset: bigint): string {
  return `${partition}:${offset}`;
}
