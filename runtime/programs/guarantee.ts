// What a job's rows are guaranteed: its sink's guarantee, unless its way to commit takes it away. Pure.
import type { NormalizedJob } from "../contract/job.ts";
import type { Sink } from "../contract/sink.ts";

/** Without recorded plans (job option `commit`) no sink is exactly-once (invariant 2). */
export function guaranteeOf({ sink, commit }: Pick<NormalizedJob, "sink" | "commit">): Sink<never>["guarantee"] {
  return commit === "batch" ? sink.guarantee : "at-least-once";
}
