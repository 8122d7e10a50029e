// `runtime replay`: runs saved ranges again, beside the live job. The job's position and its checkpoint stay as they
// are.
import { resolve } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../../clock.ts";
import type { Sink } from "../../contract/sink.ts";
import { ConfigError } from "../../errors.ts";
import { type ReplayOptions, type ReplayResult, replayJob } from "../../programs/replay-job.ts";
import { nearest } from "../../suggest.ts";
import { addJobFlags, type CommandContext, type JobFlags, withJob } from "../command-context.ts";
import { DONE } from "../exit-codes.ts";
import { counted } from "../format.ts";
import { toJson } from "../json-output.ts";
import { parseBatches, parseRange, parseTime } from "../parse-values.ts";
import { takeJobFile } from "../take-job-file.ts";

interface ReplayFlags extends JobFlags {
  readonly batches?: string;
  readonly ranges?: readonly string[];
  readonly since?: string;
  readonly sink: string;
}

/** Adds the command. */
export function addReplay(program: Command, context: CommandContext): void {
  const command = program
    .command("replay")
    .summary("run saved ranges again; the job's position stays")
    .description("Runs saved offset ranges again through the job's pipeline. The job's position and checkpoint stay.")
    .usage("<job.ts> (--batches A..B | --ranges RANGE... | --since T)")
    .argument("[job.ts]", "job file")
    .option("--batches <A..B>", "these batches, both inclusive, or one")
    .option("--ranges <range...>", "topic:partition:from-until, until exclusive, as one batch")
    .option("--since <time>", "batches completed since then: ISO 8601 (UTC), ms since 1970, or 30m")
    .option("--sink <where>", "console, none (only counts) or file:DIR (from the current folder)", "console")
    .action((jobFile: string | undefined, flags: ReplayFlags) => {
      const taken = takeJobFile("replay", jobFile, flags.ranges ?? []);
      return replay(context, taken.jobFile, { ...flags, ...(flags.ranges && { ranges: taken.values }) });
    });
  addJobFlags(
    command,
    "replay large-payments.ts --batches 3..7\nreplay large-payments.ts --ranges payments:0:100-250 --sink file:again",
  );
}

async function replay(context: CommandContext, jobFile: string, flags: ReplayFlags): Promise<void> {
  const which = whichOf(flags);
  const sink = await sinkOf(flags.sink);
  await withJob(context, jobFile, flags, async ({ job }, options) => {
    const { screen } = context;
    const result = await replayJob(job, { ...options, ...which, sink });
    if (flags.json) screen.print(toJson({ job: job.name, ...result }, { indent: false }));
    // Rows on stdout are the result; what is said about them would be in the way of whoever reads them.
    else if (flags.sink === "console") screen.log("info", resultText(result, "shown"), { job: job.name });
    else
      screen.print(
        `${job.name}: ${resultText(result, flags.sink === "none" ? "counted" : `in ${flags.sink.slice(5)}`)}`,
      );
    if (!flags.json) tellDifferences(context, job.name, result);
    return DONE;
  });
}

function resultText({ batches, records, rows }: ReplayResult, where: string): string {
  const what = `${counted(records, "record")}, ${counted(rows, "row")} ${where}`;
  return `replayed ${counted(batches, "batch", "batches")}: ${what}`;
}

function tellDifferences({ screen }: CommandContext, job: string, { differing }: ReplayResult): void {
  if (differing.length === 0) return;
  const which = `${differing.slice(0, 5).join(", ")}${differing.length > 5 ? ` and ${differing.length - 5} more` : ""}`;
  const batches = differing.length === 1 ? "batch" : "batches";
  screen.log("warning", `${batches} ${which} gave another number of rows than then: the code is not the same`, { job });
}

function whichOf({ batches, ranges, since }: ReplayFlags): Pick<ReplayOptions, "batches" | "ranges" | "sinceMs"> {
  const given = [batches, ranges, since].filter((each) => each !== undefined).length;
  if (given !== 1) {
    throw new ConfigError(given === 0 ? "which ranges are to be replayed?" : "only one of these can be given", {
      hint: "--batches 3..7, --ranges topic:partition:from-until, or --since TIME",
    });
  }
  if (batches !== undefined) return { batches: parseBatches(batches) };
  if (ranges !== undefined) return { ranges: ranges.map(parseRange) };
  return { sinceMs: parseTime(since ?? "", "--since", systemClock.now()) };
}

async function sinkOf(where: string): Promise<Sink<never> | undefined> {
  if (where === "none") return undefined;
  if (where === "console") {
    const { consoleSink } = await import("../../../connectors/console/index.ts");
    return consoleSink();
  }
  if (where.startsWith("file:") && where.length > "file:".length) {
    const { fileSink } = await import("../../../connectors/files/index.ts");
    return fileSink({ dir: resolve(where.slice("file:".length)), format: "ndjson" });
  }
  const near = nearest(where, ["console", "none"]);
  throw new ConfigError(`--sink cannot be ${JSON.stringify(where)}`, {
    hint: near === undefined ? "write console, none or file:DIR" : `did you mean ${near}?`,
  });
}
