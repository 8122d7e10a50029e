// What must hold where batches run without recorded plans (job option `commit`): rows may be visible more than once,
// but nothing is recorded as done that is not visible, and in the end every record is.
import type { OffsetRange } from "../../runtime/contract/positions.ts";
import type { CommitEntry } from "../../runtime/journal/entry.ts";
import { type Lineage, rowOf } from "./lineage.ts";
import type { Committed } from "./simulated-sink.ts";
import type { SimulatedWorld } from "./world.ts";

/** Violates when rows of an unplanned batch are not those of its ranges, in order. */
export function checkUnplannedRows(world: SimulatedWorld, { batchId, ranges, rows }: Committed): void {
  const visible = new Set(rows);
  const expected = ranges.flatMap((range) => goodRows(world, range, visible));
  if (expected.join() === rows.join()) return;
  world.violate(`2.3 unplanned batch ${batchId} gave ${rows.join(" ")} instead of ${expected.join(" ")}`);
}

/** Violates when a commit covers a record whose row is not visible. */
export function checkCommit(world: SimulatedWorld, lineage: Lineage, commit: CommitEntry): void {
  const { firstBatchId, batchId, ranges, lost } = commit;
  const what = `the commit of batches ${firstBatchId} to ${batchId}`;
  if (lineage.inHand !== undefined) world.violate(`2.4 ${what} passes over batch ${lineage.inHand.batchId}`);
  if (firstBatchId !== lineage.nextBatchId) world.violate(`2.3 ${what} follows, not ${lineage.nextBatchId}`);
  const visible = visibleRows(world, lineage);
  for (const range of ranges) {
    const at = lineage.positions.get(range.partition);
    if (at !== undefined && at !== range.fromOffset) world.violate(`2.3 ${what} does not begin at ${at}`);
    const missing = goodRows(world, range, visible).filter((row) => !visible.has(row) && !isLost(row, lost));
    if (missing.length > 0) world.violate(`2.4 ${what} is recorded, but ${missing.join()} is not visible`);
  }
}

/** Violates unless each good record that the job was to read is visible at least once. */
export function judgeAtLeastOnce(world: SimulatedWorld, lineage: Lineage): void {
  const visible = visibleRows(world, lineage);
  for (const { partition, latest } of world.topic.bounds) {
    const fromOffset = lineage.begins.get(partition) ?? latest;
    const range = { topic: "", partition, fromOffset, untilOffset: latest };
    const missing = goodRows(world, range, visible).filter((row) => !visible.has(row));
    if (missing.length > 0) world.violate(`2.3 partition ${partition} never gave ${missing.join()}`);
  }
}

function visibleRows({ table }: SimulatedWorld, { id }: Lineage): Set<unknown> {
  return new Set(table.commits.filter(({ lineageId }) => lineageId === id).flatMap(({ rows }) => rows));
}

/** The rows of a range; what the log has forgotten only where it is visible. */
function goodRows({ topic }: SimulatedWorld, range: OffsetRange, visible: ReadonlySet<unknown>): string[] {
  const { earliest } = topic.partition(range.partition);
  return topic
    .everIn(range)
    .filter(({ kind }) => kind === "good")
    .filter(({ offset }) => offset >= earliest || visible.has(rowOf(range.partition, offset)))
    .map(({ offset }) => rowOf(range.partition, offset));
}

function isLost(row: string, lost: readonly OffsetRange[]): boolean {
  const [partition = "", offset = ""] = row.split(":");
  return lost.some(
    (part) =>
      part.partition === Number(partition) && part.fromOffset <= BigInt(offset) && BigInt(offset) < part.untilOffset,
  );
}
