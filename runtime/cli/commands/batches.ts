// `runtime batches`: what the checkpoint has of a job's batches, newest first.
import type { Command } from "commander";
import { formatRange, type OffsetRange } from "../../contract/positions.ts";
import { type BatchRecord, batches } from "../../programs/history.ts";
import { addJobFlags, type CommandContext, type JobFlags, withJob } from "../command-context.ts";
import { commandLine } from "../command-names.ts";
import { DONE } from "../exit-codes.ts";
import { counted, formatCount, formatDuration, formatTime } from "../format.ts";
import { toJson } from "../json-output.ts";
import type { LoadedJob } from "../load-job.ts";
import { parseCount } from "../parse-values.ts";
import { cut } from "../printable.ts";
import { type Column, tableLines } from "../table.ts";

const DEFAULT_LIMIT = 20;
/** From this width on there is room for what matters less. */
const WIDE_COLUMNS = 110;
const LEAST_RANGE_WIDTH = 20;

interface BatchesFlags extends JobFlags {
  readonly limit?: string;
}

/** Adds the command. */
export function addBatches(program: Command, context: CommandContext): void {
  const command = program
    .command("batches")
    .summary("show the saved offset ranges, newest first")
    .description("Shows a job's saved batches, newest first: offset ranges, rows, times and state. Times are UTC.")
    .argument("<job.ts>", "job file")
    .option("--limit <n>", `show the newest so many (default: ${DEFAULT_LIMIT}; with --json all)`)
    .action((jobFile: string, flags: BatchesFlags) => show(context, jobFile, flags));
  addJobFlags(command, "batches large-payments.ts --limit 5");
}

async function show(context: CommandContext, jobFile: string, flags: BatchesFlags): Promise<void> {
  const limit = flags.limit === undefined ? undefined : parseCount(flags.limit, "--limit");
  await withJob(context, jobFile, flags, async (loaded, options) => {
    const { screen } = context;
    if (flags.json) {
      const found = await batches(loaded.job, { ...options, ...(limit === undefined ? {} : { limit }) });
      screen.print(toJson(found, { indent: true }));
      return DONE;
    }
    const found = await batches(loaded.job, options);
    if (found.length === 0) screen.print(noBatches(loaded));
    else for (const line of batchLines(found, limit ?? DEFAULT_LIMIT, loaded, screen)) screen.print(line);
    return DONE;
  });
}

function noBatches({ job: { name }, args }: LoadedJob): string {
  return `${name} has no saved batches. To run it, type: ${commandLine("start", ...args)}`;
}

function batchLines(
  all: readonly BatchRecord[],
  limit: number,
  { args }: LoadedJob,
  { columns: width, isStyled }: { columns: number; isStyled: boolean },
): string[] {
  const shown = all.slice(0, limit);
  const isWide = width >= WIDE_COLUMNS;
  const columns: Column[] = [
    { title: "batch", align: "end" },
    { title: "state", align: "start" },
    ...(isWide ? [{ title: "records", align: "end" } as const] : []),
    { title: "rows", align: "end" },
    ...(isWide ? [{ title: "took", align: "end" } as const] : []),
    { title: "completed (UTC)", align: "start" },
    { title: "ranges", align: "start" },
  ];
  const before = (batch: BatchRecord) => cellsOf(batch, isWide);
  const widest = columns.slice(0, -1).map(({ title }, index) => {
    return Math.max(title.length, ...shown.map((batch) => before(batch)[index]?.length ?? 0)) + 2;
  });
  const left = Math.max(LEAST_RANGE_WIDTH, width - widest.reduce((sum, each) => sum + each, 0));
  const rows = shown.map((batch) => [...before(batch), rangesCell(batch.ranges, left)]);
  const lines = tableLines(columns, rows, { width, isStyled });
  for (const batch of shown) lines.push(...notes(batch));
  if (all.length > limit) {
    const showAll = commandLine("batches", ...args, "--limit", String(all.length));
    lines.push(`… ${counted(all.length - limit, "older one")}: ${showAll}`);
  }
  return lines;
}

function cellsOf(batch: BatchRecord, isWide: boolean): string[] {
  const { state, counts, completedAtMs } = batch;
  const count = (value: number | undefined) => (value === undefined ? "-" : formatCount(value));
  return [
    numbersOf(batch),
    state,
    ...(isWide ? [count(counts?.records)] : []),
    count(counts?.rows),
    ...(isWide ? [counts === undefined ? "-" : formatDuration(counts.durationMs)] : []),
    completedAtMs === undefined ? "-" : formatTime(completedAtMs),
  ];
}

/** As many ranges as fit, and how many more there are; ranges without offsets are not told. */
function rangesCell(ranges: readonly OffsetRange[], width: number): string {
  const told = ranges.filter(({ fromOffset, untilOffset }) => fromOffset < untilOffset).map(formatRange);
  if (told.length === 0) return "none";
  for (let count = told.length; count > 1; count--) {
    const cell = withMore(told.slice(0, count).join(" "), told.length - count);
    if (cell.length <= width) return cell;
  }
  const more = told.length > 1 ? ` +${told.length - 1}` : "";
  return `${cut(told[0] ?? "", width - more.length)}${more}`;
}

function withMore(cell: string, more: number): string {
  return more === 0 ? cell : `${cell} +${more}`;
}

/** One number, or the first and the last of batches that were committed together. */
function numbersOf({ firstBatchId, batchId }: BatchRecord): string {
  return firstBatchId === batchId ? String(batchId) : `${firstBatchId}-${batchId}`;
}

function notes(batch: BatchRecord): string[] {
  const { poison, lost, counts, state } = batch;
  const batchId = numbersOf(batch);
  const lines: string[] = [];
  const poisonCount = counts?.poison ?? poison.length;
  if (poisonCount > 0) lines.push(`batch ${batchId}: ${counted(poisonCount, "poison record")} left out`);
  if (lost.length > 0) lines.push(`batch ${batchId}: lost ${lost.map(formatRange).join(" ")}`);
  if (counts?.alreadyWritten) lines.push(`batch ${batchId}: was in the sink already when it ran again`);
  if (state === "planned") lines.push(`batch ${batchId}: in hand; the next start runs it over the same ranges`);
  if (state === "abandoned") lines.push(`batch ${batchId}: given up by a reset; its rows may be visible`);
  return lines;
}
