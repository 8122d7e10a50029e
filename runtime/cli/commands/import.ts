// `runtime checkpoint import`: makes a new job's checkpoint from positions that another program saved. Shows them, and
// writes only with --execute.
import { existsSync } from "node:fs";
import { extname } from "node:path";
import type { Command } from "commander";
import { formatRange } from "../../contract/positions.ts";
import { type ImportOptions, type ImportResult, importCheckpoint } from "../../programs/import-checkpoint.ts";
import { addCommonFlags, type CommandContext, type CommonFlags, untilSignal, withJob } from "../command-context.ts";
import { commandLine, jobArguments } from "../command-names.ts";
import { DONE } from "../exit-codes.ts";
import { formatCount } from "../format.ts";
import { toJson } from "../json-output.ts";
import { printable } from "../printable.ts";
import { savedPositionsPlace } from "../saved-positions-place.ts";
import { tableLines } from "../table.ts";

interface ImportFlags extends CommonFlags {
  readonly from: string;
  readonly to?: string;
  readonly execute?: boolean;
}

/** Adds the subcommand. */
export function addImport(checkpoint: Command, context: CommandContext): void {
  const command = checkpoint
    .command("import")
    .summary("start a new job where another program stopped; a dry run unless --execute")
    .description(
      "Makes a new job's checkpoint from positions that another program saved: a Kafka consumer group's offsets, " +
        "offsets in ZooKeeper or HBase, or a Spark Structured Streaming checkpoint. Without --execute it only shows " +
        "them. The other program must be stopped. With a job file, only what the job reads is taken, and held " +
        "against its log.",
    )
    .argument("<job>", "job file, or the job's name (file: URLs are then relative to the current folder)")
    .requiredOption("--from <place>", "what the other program saved, as in the examples")
    .option("--to <url>", "where the checkpoint is to be; the job's own unless given (file:.tidemark for a name)")
    .option("--execute", "write it")
    .action((job: string, flags: ImportFlags) => run(context, job, flags));
  const places = [
    "'kafka://10.0.0.1:9092?group=billing'",
    "spark:DIR",
    "spark:webhdfs://namenode:9870/DIR",
    "zookeeper://zk:2181/consumers/billing",
    "'hbase://zk/TABLE?group=G&topic=bills'",
  ];
  addCommonFlags(command, places.map((from) => `checkpoint import --from ${from} job.ts`).join("\n"));
}

async function run(context: CommandContext, job: string, flags: ImportFlags): Promise<void> {
  const { from, to, execute = false } = flags;
  const options = async (): Promise<ImportOptions> => {
    return { from: await savedPositionsPlace(from), execute, ...(to === undefined ? {} : { to }) };
  };
  if (!/^\.m?[jt]s$/.test(extname(job)) && !existsSync(job)) {
    await untilSignal(context, { job }, async (signal) => {
      const result = await importCheckpoint(job, { ...(await options()), baseDir: ".", signal });
      tell(context, flags, { name: job, file: undefined }, result);
      return DONE;
    });
    return;
  }
  await withJob(context, job, flags, async (loaded, given) => {
    const result = await importCheckpoint(loaded.job, { ...given, ...(await options()) });
    tell(context, flags, { name: loaded.job.name, file: job }, result);
    return DONE;
  });
}

function tell(
  context: CommandContext,
  { json, to: checkpoint }: ImportFlags,
  job: { readonly name: string; readonly file: string | undefined },
  result: ImportResult,
): void {
  const { screen } = context;
  if (json) {
    screen.print(toJson({ job: job.name, ...result }, { indent: true }));
    return;
  }
  const { executed, from, to, nextBatchId, firstBatch, notes } = result;
  const done = executed ? `imported from ${from} to ${to}` : `a dry run, nothing is written to ${to}`;
  screen.print(printable(`${job.name}: ${done}`));
  for (const line of positionLines(context, result)) screen.print(line);
  const planned = firstBatch.length === 0 ? "" : `, over ${firstBatch.map(formatRange).join(", ")}`;
  screen.print(printable(`Its first batch is ${nextBatchId}${planned}.`));
  for (const note of notes) screen.print(printable(`Note: ${note}.`));
  if (!executed) screen.print(`To do it: ${commandLine(...context.args, "--execute")}`);
  else if (job.file === undefined) screen.print(`Next: set checkpoint: "${to}" in the job, and start it.`);
  else screen.print(`To go on from there: ${commandLine("start", ...jobArguments(job.file, checkpoint))}`);
}

function positionLines({ screen }: CommandContext, { positions }: ImportResult): string[] {
  const numberOf = (value: bigint | undefined) => (value === undefined ? "-" : String(value));
  const isKnown = positions.some(({ latest }) => latest !== undefined);
  const ofLog = isKnown ? (["earliest", "latest", "lag"] as const) : [];
  return tableLines(
    [
      { title: "partition", align: "start" },
      { title: "starts at", align: "end" },
      ...ofLog.map((title) => ({ title, align: "end" }) as const),
    ],
    positions.map(({ topic, partition, offset, earliest, latest, lag }) => [
      `${topic}:${partition}`,
      String(offset),
      ...(isKnown ? [numberOf(earliest), numberOf(latest), lag === undefined ? "-" : formatCount(lag)] : []),
    ]),
    { width: screen.columns, isStyled: screen.isStyled },
  );
}
