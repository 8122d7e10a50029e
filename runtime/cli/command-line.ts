// The command line as a whole: its commands, what happens when something is mistyped, and the exit code. Nothing
// stands in --help before it works.
import { Command, CommanderError } from "commander";
import { ConfigError } from "../errors.ts";
import type { CommandContext, CommonFlags } from "./command-context.ts";
import { commandName } from "./command-names.ts";
import { addBatches } from "./commands/batches.ts";
import { addCheckpoint } from "./commands/checkpoint.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addOffsets } from "./commands/offsets.ts";
import { addReplay } from "./commands/replay.ts";
import { addReset } from "./commands/reset.ts";
import { addStart } from "./commands/start.ts";
import { showError } from "./error-screen.ts";
import { DONE, exitCodeOf, WRONG_USE } from "./exit-codes.ts";
import { ownVersion } from "./own-code.ts";
import type { Screen } from "./screen.ts";

/** Runs what was typed. @returns the exit code; everything that goes wrong has been told */
export async function runCommandLine(args: readonly string[], screen: Screen): Promise<number> {
  const context: CommandContext = { screen, args, exitCode: DONE };
  // Also when parsing itself fails, before any flag is known.
  screen.isVerbose = args.includes("--verbose");
  const program = buildProgram(context);
  try {
    if (args.length === 0) {
      screen.log("error", `what is to be done?\n\n${program.helpInformation().trimEnd()}`);
      return WRONG_USE;
    }
    await program.parseAsync(args, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      showError(screen, error);
      return exitCodeOf(error);
    }
    if (error.exitCode === 0) return DONE;
    showError(screen, usageError(error, args));
    return WRONG_USE;
  }
}

function buildProgram(context: CommandContext): Command {
  const program = new Command("runtime")
    .description("Runs micro-batch jobs written in TypeScript, and shows, replays and moves what they have done.")
    .version(`tidemark ${ownVersion()}`, "--version", "show the version")
    .helpOption("--help", "show this; runtime COMMAND --help shows a command's flags")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.screen.print(text.trimEnd()), writeErr: () => {} })
    .hook("preAction", (_, command) => {
      const { verbose, logFormat } = command.opts<CommonFlags>();
      context.screen.isVerbose = verbose === true;
      context.screen.logFormat = logFormat ?? "text";
    });
  addStart(program, context);
  addBatches(program, context);
  addOffsets(program, context);
  addReplay(program, context);
  addReset(program, context);
  addDoctor(program, context);
  addCheckpoint(program, context);
  return program.addHelpText("after", `\nExample:\n  ${commandName()} start large-payments.ts`);
}

/** Commander's message is `error: …`, and a suggestion in a second line. */
function usageError({ message, code }: CommanderError, args: readonly string[]): ConfigError {
  if (code === "commander.help")
    return new ConfigError("which command?", { hint: `${commandName()} ${args[0]} --help` });
  const [what = "", suggestion = ""] = message.replace(/^error: /, "").split("\n");
  const near = /^\(Did you mean (.+)\?\)$/.exec(suggestion)?.[1];
  const command = args[0]?.startsWith("-") || code === "commander.unknownCommand" ? "" : ` ${args[0]}`;
  const help = `${commandName()}${command} --help shows what there is`;
  return new ConfigError(what, { hint: near === undefined ? help : `did you mean ${near}?` });
}
