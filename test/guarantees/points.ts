// The moments of a batch at which a job is killed. The first is the plan of the first batch, which is an entry of its
// own; the others lie in the second batch, whose plan came with the completion of the first.

export const points = [
  "after the plan",
  "mid-read",
  "before the sink's commit",
  "amid the sink's commit",
  "after the sink's commit",
  "before the entry",
  "after the entry",
] as const;

export type Point = (typeof points)[number];

/** There only where a batch's rows do not appear all together: some of them are there. */
export const AMID = "amid the sink's commit";

/** The moments that there are when one transaction holds the rows and the entry: its commit is the entry's. */
export const jointPoints: readonly Point[] = ["after the plan", "mid-read", "before the entry", "after the entry"];

/** The batch that is in hand when the job is killed. */
export function batchKilledAt(point: Point): number {
  return point === "after the plan" ? 0 : 1;
}
