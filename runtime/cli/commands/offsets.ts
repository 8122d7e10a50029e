// `runtime offsets`: how far a job is on each partition.
import type { Command } from "commander";
import { offsets, type PartitionOffsets } from "../../programs/offsets.ts";
import { addJobFlags, type CommandContext, type JobFlags, withJob } from "../command-context.ts";
import { DONE } from "../exit-codes.ts";
import { counted, formatCount } from "../format.ts";
import { toJson } from "../json-output.ts";
import { tableLines } from "../table.ts";

/** Adds the command. */
export function addOffsets(program: Command, context: CommandContext): void {
  const command = program
    .command("offsets")
    .summary("show how far a job is on each partition")
    .description(
      "Shows for each partition the first offset kept (earliest), the one after the last record that is done " +
        "(committed), the next to be read (current), the end of the log (latest) and what is left (lag). Current is " +
        "ahead of committed while a batch runs; when no job runs, it is where the next start reads on.",
    )
    .argument("<job.ts>", "job file")
    .action((jobFile: string, flags: JobFlags) => show(context, jobFile, flags));
  addJobFlags(command, "offsets large-payments.ts --json");
}

async function show(context: CommandContext, jobFile: string, flags: JobFlags): Promise<void> {
  await withJob(context, jobFile, flags, async ({ job }, options) => {
    const { screen } = context;
    const found = await offsets(job, options);
    if (flags.json) screen.print(toJson(found, { indent: true }));
    else if (found.length === 0)
      screen.print(`${job.name}: the ${job.definition.source.kind} source has no partitions`);
    else for (const line of lines(found, screen)) screen.print(line);
    return DONE;
  });
}

function lines(
  found: readonly PartitionOffsets[],
  { columns: width, isStyled }: { columns: number; isStyled: boolean },
): string[] {
  const cell = (offset: bigint | undefined) => (offset === undefined ? "-" : String(offset));
  const rows = found.map(({ topic, partition, earliest, committed, current, latest, lag }) => [
    ...[`${topic}:${partition}`, cell(earliest), cell(committed), cell(current), cell(latest)],
    lag === undefined ? "gone" : formatCount(lag),
  ]);
  const titles = ["earliest", "committed", "current", "latest", "lag"];
  const columns = [
    { title: "partition", align: "start" } as const,
    ...titles.map((title) => ({ title, align: "end" }) as const),
  ];
  const lag = found.reduce((sum, { lag: each }) => sum + (each ?? 0n), 0n);
  const total = `${counted(found.length, "partition")}, lag ${formatCount(lag)}`;
  return [...tableLines(columns, rows, { width, isStyled }), total];
}
