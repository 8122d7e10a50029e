// An error as a person is shown it, on one screen: what happened, the line of their code where it did, and what to
// type. Stack traces and the chain of causes only when asked for: they are for those who mend Tidemark, not for those
// who use it.
import { relative } from "node:path";
import { inspect } from "node:util";
import { messageOf, TidemarkError } from "../errors.ts";
import { type CodePlace, codeFrame } from "./code-frame.ts";
import { hintToType } from "./command-names.ts";
import { JobFileError } from "./job-file-error.ts";
import { causesOf, userPlace } from "./job-frames.ts";
import { printable, printableMessage } from "./printable.ts";
import type { Screen } from "./screen.ts";

export interface ErrorContext {
  readonly job?: string | undefined;
  /** What names it in a command, for hints. */
  readonly jobArgs?: readonly string[] | undefined;
  /** What it happened in, where that does not go without saying. */
  readonly during?: string;
}

/** Tells of an error on stderr. */
export function showError(screen: Screen, error: unknown, { job, jobArgs, during }: ErrorContext = {}): void {
  const message = printableMessage(during === undefined ? messageOf(error) : `${during}: ${messageOf(error)}`);
  const place = error instanceof JobFileError ? error.place : userPlace(error);
  const hint = hintOf(error, jobArgs);
  if (screen.logFormat === "json") {
    const code = error instanceof TidemarkError ? error.code : "UNEXPECTED";
    const at = place && `${place.path}:${place.line}${place.column === undefined ? "" : `:${place.column}`}`;
    const stack = screen.isVerbose ? { stack: inspect(error) } : {};
    screen.log("error", message, { job, code, hint, at, ...stack });
    return;
  }
  const parts = [message, place && framed(place), hint && `hint: ${printableMessage(hint)}`];
  if (screen.isVerbose) parts.push(traces(error));
  else if (!(error instanceof TidemarkError) && place === undefined)
    parts.push("hint: --verbose shows where it happened");
  screen.log("error", parts.filter((part) => part !== undefined && part !== "").join("\n"), { job });
}

function framed(place: CodePlace): string {
  const { path, line, column } = place;
  const fromHere = relative(process.cwd(), path);
  const name = fromHere.startsWith("..") ? path : fromHere;
  const frame = codeFrame(place, 80 - 2);
  const at = `  ${name}:${line}${column === undefined ? "" : `:${column}`}`;
  return frame === undefined ? `${at}\n` : `\n${at}\n${frame.replace(/^/gm, "  ")}\n`;
}

function hintOf(error: unknown, jobArgs: readonly string[] | undefined): string | undefined {
  for (const cause of causesOf(error)) {
    if (cause instanceof TidemarkError && cause.hint) return hintToType(cause.hint, jobArgs);
  }
  return undefined;
}

function traces(error: unknown): string {
  const chain = causesOf(error).map((cause) =>
    cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
  );
  return `\n${chain
    .map((trace, index) => (index === 0 ? trace : `caused by: ${trace}`))
    .map(printable)
    .join("\n")}`;
}
