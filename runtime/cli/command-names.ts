// How this command is to be typed again: by npx where npm started it, since it is not on the PATH there. Passwords in
// its URLs are left for the reader to fill in: what is shown ends up in logs.
import { redactUrl } from "../redact-url.ts";

/** `runtime`, or `npx runtime`. */
export function commandName(): string {
  return process.env["npm_config_user_agent"] === undefined ? "runtime" : "npx runtime";
}

/** A command to type, its arguments quoted where a shell needs it. */
export function commandLine(...args: readonly string[]): string {
  return [commandName(), ...args.map(quoted)].join(" ");
}

/** What names a job and its checkpoint in a command, as it was typed. */
export function jobArguments(jobFile: string, checkpoint: string | undefined): readonly string[] {
  return checkpoint === undefined ? [jobFile] : [jobFile, "--checkpoint", checkpoint];
}

/** Puts the real command and job into a hint that says `runtime … job.ts`. */
export function hintToType(hint: string, jobArgs: readonly string[] = ["job.ts"]): string {
  const commands =
    /\bruntime (start|batches|offsets|replay|reset|doctor|checkpoint copy|checkpoint import)\b( job\.ts)?/g;
  return hint.replace(commands, (_, command, file) => {
    return [commandName(), command, ...(file === undefined ? [] : jobArgs.map(quoted))].join(" ");
  });
}

function quoted(typed: string): string {
  const argument = typed.includes("://") ? redactUrl(typed) : typed;
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
