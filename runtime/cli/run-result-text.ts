// How a run ended, as a person reads it: what is done, how much it was, and what to type next.
import { guaranteeOf } from "../programs/guarantee.ts";
import type { RunResult } from "../programs/run-job.ts";
import { commandLine } from "./command-names.ts";
import { counted, formatDuration, formatRate } from "./format.ts";
import type { LoadedJob } from "./load-job.ts";

/** The result of a job; `hasNext`: with what to type next. */
export function runResultText(loaded: LoadedJob, result: RunResult, { hasNext }: { hasNext: boolean }): string {
  const { name } = loaded.job;
  const lines = [`${name}: ${headline(loaded, result)}`];
  if (result.batches > 0) lines.push(...counts(loaded, result));
  if (hasNext) lines.push(...next(loaded, result));
  return lines.join("\n");
}

function headline({ job: { definition } }: LoadedJob, { reason, batches }: RunResult): string {
  if (reason === "stopped") {
    if (batches === 0) return "stopped, with nothing done";
    return `stopped; the next start goes on from ${definition.commit === "manual" ? "the last commit" : "here"}`;
  }
  if (batches === 0) return "nothing is left to do";
  return reason === "end-reached" ? "done: the ending offsets are reached" : "done: nothing is left";
}

function counts({ job: { definition } }: LoadedJob, result: RunResult): string[] {
  const { batches, records, rows, tombstones, poison, alreadyWritten, durationMs } = result;
  const rate = formatRate(records, durationMs);
  const speed = rate === undefined ? "" : ` (${rate.replace("/s", " records/s")})`;
  const { sink } = definition;
  const where = sink.target ?? `the ${sink.kind} sink`;
  const lines = [
    `  ${counted(batches, "batch", "batches")}, ${counted(records, "record")} in ${formatDuration(durationMs)}${speed}`,
    `  ${counted(rows, "row")} to ${where}, ${guaranteeOf(definition)}`,
  ];
  if (tombstones > 0) lines.push(`  ${counted(tombstones, "tombstone")} left out`);
  if (poison > 0) lines.push(`  ${counted(poison, "poison record")} left out`);
  if (alreadyWritten > 0)
    lines.push(`  ${counted(alreadyWritten, "batch", "batches")} in the sink already, not counted here`);
  return lines;
}

function next({ args }: LoadedJob, { reason }: RunResult): string[] {
  const commands = [
    { command: commandLine("batches", ...args), does: "what each batch read" },
    { command: commandLine("offsets", ...args), does: "how far it is" },
  ];
  if (reason === "stopped") commands.unshift({ command: commandLine("start", ...args), does: "goes on" });
  const width = Math.max(...commands.map(({ command }) => command.length));
  return ["Next:", ...commands.map(({ command, does }) => `  ${command.padEnd(width)}   ${does}`)];
}
