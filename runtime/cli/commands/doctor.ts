// `runtime doctor`: looks at everything that a job uses and says what is wrong and what to type. It changes nothing.
import { styleText } from "node:util";
import type { Command } from "commander";
import { doctor, type Finding } from "../../programs/doctor.ts";
import { addJobFlags, type CommandContext, type JobFlags, withJob } from "../command-context.ts";
import { hintToType } from "../command-names.ts";
import { DONE, FAILED } from "../exit-codes.ts";
import { counted } from "../format.ts";
import { toJson } from "../json-output.ts";
import { printable, wrap } from "../printable.ts";
import type { Screen } from "../screen.ts";

const STATUS_STYLES = { ok: "green", warning: "yellow", problem: "red" } as const;
const STATUS_WIDTH = "problem".length;

/** Adds the command. */
export function addDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command("doctor")
    .summary("look for what is wrong, and say what to type")
    .description(
      "Connects to everything that a job uses, checks its checkpoint for holes and damage, and says what to " +
        "type. Changes nothing. Exits with 1 when it finds a problem.",
    )
    .argument("<job.ts>", "job file")
    .action((jobFile: string, flags: JobFlags) => examine(context, jobFile, flags));
  addJobFlags(command, "doctor large-payments.ts");
}

async function examine(context: CommandContext, jobFile: string, flags: JobFlags): Promise<void> {
  await withJob(context, jobFile, flags, async ({ job, args }, options) => {
    const { screen } = context;
    const findings = await doctor(job, options);
    if (flags.json) screen.print(toJson(findings, { indent: true }));
    else for (const line of lines(screen, findings, args)) screen.print(line);
    return findings.some(({ status }) => status === "problem") ? FAILED : DONE;
  });
}

function lines(screen: Screen, findings: readonly Finding[], jobArgs: readonly string[]): string[] {
  const checkWidth = Math.max(...findings.map(({ check }) => check.length));
  const indent = " ".repeat(STATUS_WIDTH + checkWidth + 4);
  const width = Math.max(20, screen.columns - indent.length);
  const told = findings.flatMap(({ status, check, detail, hint }) => {
    const label = status.padEnd(STATUS_WIDTH);
    const coloured = screen.isStyled ? styleText(STATUS_STYLES[status], label, { validateStream: false }) : label;
    const text = wrap(printable(detail), width);
    const advice = hint === undefined ? [] : wrap(printable(`→ ${hintToType(hint, jobArgs)}`), width);
    return [...text, ...advice].map((line, index) =>
      index === 0 ? `${coloured}  ${check.padEnd(checkWidth)}  ${line}` : `${indent}${line}`,
    );
  });
  return [...told, summary(findings)];
}

function summary(findings: readonly Finding[]): string {
  const problems = findings.filter(({ status }) => status === "problem").length;
  const warnings = findings.filter(({ status }) => status === "warning").length;
  if (problems + warnings === 0) return "All is well.";
  return `${counted(problems, "problem")}, ${counted(warnings, "warning")}.`;
}
