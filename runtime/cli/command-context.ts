// What every command is made of: the flags they all take, and how a job is loaded, stopped and its failure told. A
// command itself only parses its own flags, calls its program and prints.
import { type Command, Option } from "commander";
import type { ProgramOptions } from "../programs/program.ts";
import { commandName, jobArguments } from "./command-names.ts";
import { type ErrorContext, showError } from "./error-screen.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { type LoadedJob, loadJob } from "./load-job.ts";
import type { LogFormat, Screen } from "./screen.ts";
import { StopSignals } from "./stop-signals.ts";

/** One run of the command line. */
export interface CommandContext {
  readonly screen: Screen;
  /** As typed, without Node and the file: for commands to type next. */
  readonly args: readonly string[];
  exitCode: number;
}

export interface CommonFlags {
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly logFormat?: LogFormat;
}

export interface JobFlags extends CommonFlags {
  readonly checkpoint?: string;
}

/** Adds what every command takes, last, so that it stands last in --help; and an example below. */
export function addCommonFlags(command: Command, example: string): void {
  command
    .option("--json", "print the result as JSON (offsets as strings)")
    .option("--verbose", "show stack traces and causes of errors")
    .addOption(new Option("--log-format <format>", "how logs on stderr are written").choices(["text", "json"]))
    .helpOption("--help", "show this")
    .addHelpText(
      "after",
      `\n${example.includes("\n") ? "Examples" : "Example"}:\n${example.replace(/^/gm, `  ${commandName()} `)}`,
    );
}

/** Adds the common flags and --checkpoint. */
export function addJobFlags(command: Command, example: string): void {
  command.option("--checkpoint <url>", "instead of the job's own; file:DIR is relative to its folder");
  addCommonFlags(command, example);
}

/** Loads the job, does the work with it, and tells of failures. The work gives the exit code. */
export async function withJob(
  context: CommandContext,
  jobFile: string,
  { checkpoint }: JobFlags,
  work: (loaded: LoadedJob, options: ProgramOptions) => Promise<number>,
): Promise<void> {
  const jobArgs = jobArguments(jobFile, checkpoint);
  const loaded = await attempt(context, { jobArgs }, () => loadJob(jobFile, checkpoint));
  if (loaded === undefined) return;
  const job = loaded.job.name;
  await untilSignal(context, { jobArgs, job }, async (signal) => {
    const onWarning = (message: string) => context.screen.log("warning", message, { job });
    const given = checkpoint === undefined ? {} : { checkpoint };
    return work(loaded, { baseDir: loaded.baseDir, signal, onWarning, ...given });
  });
}

/** Does the work until it is done or a signal ends it, and tells of its failure. */
export async function untilSignal(
  context: CommandContext,
  about: ErrorContext,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  using signals = new StopSignals({ onStop: () => {}, onAbort: () => {} });
  await attempt(context, about, async () => {
    try {
      context.exitCode = await work(signals.stop);
    } catch (error) {
      if (signals.exitCode === undefined) throw error;
      context.screen.log("info", "stopped before it was done", { job: about.job });
      context.exitCode = signals.exitCode;
    }
  });
}

async function attempt<T>(
  context: CommandContext,
  about: ErrorContext,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    showError(context.screen, error, about);
    context.exitCode = exitCodeOf(error);
    return undefined;
  }
}
