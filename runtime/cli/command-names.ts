// How this command is to be typed again: by npx where npm started it, since it is not on the PATH there.

/** `runtime`, or `npx runtime`. */
export function commandName(): string {
  return process.env["npm_config_user_agent"] === undefined ? "runtime" : "npx runtime";
}

/** A command to type, its arguments quoted where a shell needs it. */
export function commandLine(...args: readonly string[]): string {
  return [commandName(), ...args.map(quoted)].join(" ");
}

/** Puts the real command and job file into a hint that says `runtime … job.ts`. */
export function hintToType(hint: string, jobFile: string | undefined): string {
  return hint.replace(
    /\bruntime (start|batches|offsets|replay|reset|doctor|checkpoint copy)\b( job\.ts)?/g,
    (_, command, file) => {
      const rest = file === undefined ? "" : ` ${jobFile === undefined ? "job.ts" : quoted(jobFile)}`;
      return `${commandName()} ${command}${rest}`;
    },
  );
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
