// What a running job tells its observer, as plain data in order. The engine calls one listener; it never waits for it.

import type { OffsetRange } from "./contract/positions.ts";
import type { Heartbeat } from "./contract/store.ts";
import type { BatchCounts } from "./journal/entry.ts";
import type { Plan, PoisonRecord } from "./plan/plan.ts";

/** Why a run ended: nothing left to do (bounded triggers), the ending offsets were reached, or it was told to stop. */
export type EndReason = "nothing-left" | "end-reached" | "stopped";

export type JobEvent =
  /** Another run's heartbeat is fresh; this run waits until it is not. Sent again every second or so. */
  | { readonly type: "waiting-for-other-run"; readonly heartbeat: Heartbeat }
  /** The log was taken over and the sink is open. `isNew`: it has no position yet. */
  | { readonly type: "started"; readonly lineageId: string; readonly epoch: bigint; readonly isNew: boolean }
  /** A batch that was planned before this run began runs again over the same ranges. */
  | { readonly type: "resuming"; readonly plan: Plan }
  /** A plan is durable. `lag`: offsets that were there beyond it when it was made. */
  | { readonly type: "planned"; readonly plan: Plan; readonly lag: bigint }
  /** Several times a second at most while a batch runs. */
  | { readonly type: "progress"; readonly batchId: number; readonly offsets: bigint; readonly ofOffsets: bigint }
  /**
   * A batch is recorded as complete; with another `commit` than "batch", its rows are durable, and "committed" follows
   * later. `durationMs`: from the start of its last attempt to its rows being durable.
   */
  | {
      readonly type: "completed";
      readonly plan: Plan;
      readonly counts: BatchCounts;
      readonly durationMs: number;
      /** What is there beyond this batch; undefined when the run stops and did not look. */
      readonly lag: bigint | undefined;
    }
  /** Batches without recorded plans, from the first to `batchId`, are recorded as complete. */
  | { readonly type: "committed"; readonly firstBatchId: number; readonly batchId: number }
  | { readonly type: "poison"; readonly batchId: number; readonly records: readonly PoisonRecord[] }
  | { readonly type: "lost"; readonly batchId: number; readonly lost: readonly OffsetRange[] }
  /** There is nothing to do until `forMs` have passed or data arrives. Sent once per wait. */
  | { readonly type: "idle"; readonly lag: bigint }
  | { readonly type: "retrying"; readonly error: unknown; readonly attempt: number; readonly delayMs: number }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "ended"; readonly reason: EndReason };

export type JobListener = (event: JobEvent) => void;
