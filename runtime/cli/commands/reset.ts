// `runtime reset`: moves a job's position by hand. Shows the change, and makes it only with --execute.
import type { Command } from "commander";
import { systemClock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import { type PositionChange, type ResetResult, type ResetTarget, resetJob } from "../../programs/reset-job.ts";
import { addJobFlags, type CommandContext, type JobFlags, withJob } from "../command-context.ts";
import { commandLine } from "../command-names.ts";
import { DONE } from "../exit-codes.ts";
import { formatCount } from "../format.ts";
import { toJson } from "../json-output.ts";
import type { LoadedJob } from "../load-job.ts";
import { parseBatchId, parseOffsets, parseShift, parseTime } from "../parse-values.ts";
import { tableLines } from "../table.ts";
import { takeJobFile } from "../take-job-file.ts";

interface ResetFlags extends JobFlags {
  readonly toEarliest?: boolean;
  readonly toLatest?: boolean;
  readonly toDatetime?: string;
  readonly toBatch?: string;
  readonly toOffset?: readonly string[];
  readonly shiftBy?: string;
  readonly abandonBatch?: boolean;
  readonly execute?: boolean;
}

/** Adds the command. */
export function addReset(program: Command, context: CommandContext): void {
  const command = program
    .command("reset")
    .summary("move a job's position; a dry run unless --execute")
    .description(
      "Moves a job's position. Without --execute it only shows the change. The batch in hand is finished first, " +
        "so that every planned batch is complete or known to be abandoned. The job must not run.",
    )
    .usage("<job.ts> --to-... [--execute]")
    .argument("[job.ts]", "job file")
    .option("--to-earliest", "to the first offset that the log still has")
    .option("--to-latest", "to the end of the log")
    .option("--to-datetime <time>", "to the first record at or after it: ISO 8601 (UTC), ms since 1970, or 30m (ago)")
    .option("--to-batch <n>", "to where the job stood before this batch")
    .option("--to-offset <t:p=o...>", "topic:partition=offset; the other partitions stay")
    .option("--shift-by <n>", "so many offsets forward on each partition, or back (-1000)")
    .option("--abandon-batch", "give the batch in hand up instead of finishing it; its rows may be visible")
    .option("--execute", "make the change")
    .action((jobFile: string | undefined, flags: ResetFlags) => {
      const taken = takeJobFile("reset", jobFile, flags.toOffset ?? []);
      return reset(context, taken.jobFile, { ...flags, ...(flags.toOffset && { toOffset: taken.values }) });
    });
  addJobFlags(
    command,
    "reset large-payments.ts --to-earliest\nreset large-payments.ts --to-offset payments:0=1200 --execute",
  );
}

async function reset(context: CommandContext, jobFile: string, flags: ResetFlags): Promise<void> {
  const to = targetOf(flags);
  await withJob(context, jobFile, flags, async (loaded, options) => {
    const { screen } = context;
    const { execute = false, abandonBatch = false } = flags;
    const result = await resetJob(loaded.job, { ...options, to, execute, abandonInHand: abandonBatch });
    if (flags.json) screen.print(toJson({ job: loaded.job.name, ...result }, { indent: true }));
    else for (const line of lines(context, loaded, result)) screen.print(line);
    return DONE;
  });
}

function targetOf(flags: ResetFlags): ResetTarget {
  const { toEarliest, toLatest, toDatetime, toBatch, toOffset, shiftBy } = flags;
  const targets: ResetTarget[] = [];
  if (toEarliest) targets.push("earliest");
  if (toLatest) targets.push("latest");
  if (toDatetime !== undefined)
    targets.push({ timestampMs: parseTime(toDatetime, "--to-datetime", systemClock.now()) });
  if (toBatch !== undefined) targets.push({ beforeBatch: parseBatchId(toBatch) });
  if (toOffset !== undefined) targets.push({ offsets: parseOffsets(toOffset) });
  if (shiftBy !== undefined) targets.push({ shiftBy: parseShift(shiftBy) });
  const [target, other] = targets;
  if (target !== undefined && other === undefined) return target;
  throw new ConfigError(target === undefined ? "where is the position to go?" : "only one target can be given", {
    hint: "--to-earliest, --to-latest, --to-datetime T, --to-batch N, --to-offset t:p=o or --shift-by N",
  });
}

function lines(context: CommandContext, { job: { name }, args }: LoadedJob, result: ResetResult): string[] {
  const { screen } = context;
  const { executed, changes, inHand } = result;
  const told = executed ? "its position has moved" : "a dry run, nothing is changed";
  const table = tableLines(
    [
      { title: "partition", align: "start" },
      { title: executed ? "was" : "is", align: "end" },
      { title: executed ? "is" : "would be", align: "end" },
      { title: "by", align: "end" },
    ],
    changes.map((change) => [
      `${change.topic}:${change.partition}`,
      String(change.from ?? "-"),
      String(change.to),
      by(change),
    ]),
    { width: screen.columns, isStyled: screen.isStyled },
  );
  const batch = inHand === undefined ? [] : [inHandText(inHand, executed)];
  const next = executed
    ? `To go on from there: ${commandLine("start", ...args)}`
    : `To do it: ${commandLine(...context.args, "--execute")}`;
  return [`${name}: ${told}`, ...table, ...batch, next];
}

function by({ from, to }: PositionChange): string {
  if (from === undefined) return "new";
  const moved = to - from;
  if (moved === 0n) return "stays";
  return moved > 0n ? `+${formatCount(moved)}` : formatCount(moved);
}

function inHandText({ batchId, becomes }: NonNullable<ResetResult["inHand"]>, executed: boolean): string {
  const when = executed ? "was" : "would be";
  const warning = becomes === "abandoned" ? "; its rows may be visible, and stay" : " first";
  return `Batch ${batchId} ${when} ${becomes}${warning}.`;
}
