// Runs a program to its end and collects what it prints. A program that is not installed is an error that says what to
// type; one that fails is an error with its last words.
import { spawn } from "node:child_process";
import { ConfigError } from "../../runtime/errors.ts";

/** Another user than the one who asks, for servers that refuse to run as root. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

export interface ProgramOptions {
  /** The command that installs the program, for the error when it is missing. */
  readonly installHint: string;
  readonly signal: AbortSignal;
  /** Written to its stdin, which is then closed. */
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly runAs?: RunAs;
}

export interface ProgramResult {
  /** 128 when it was ended by a signal. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `file` and answers with its exit code, whatever that is. The program is killed when `signal` is aborted.
 * @throws ConfigError `file` is not installed
 */
export function runProgram(file: string, args: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const { installHint, signal, input, cwd, env, runAs } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { signal, killSignal: "SIGKILL", cwd, env, ...runAs });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // It may end before it has read everything.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new ConfigError(`${file} is not installed`, { hint: installHint }) : error),
    );
    child.on("close", (code) =>
      resolve({
        exitCode: code ?? 128,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    );
  });
}

/**
 * Like runProgram, for a program that must succeed.
 * @returns what it printed on stdout
 * @throws ConfigError `file` is not installed
 * @throws Error it failed; with the end of what it printed
 */
export async function mustRun(file: string, args: readonly string[], options: ProgramOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(file, args, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${file} ${args[0] ?? ""} failed (exit ${exitCode}):\n${lastLines(stderr + stdout, 20)}`);
}

/** The last `count` lines of a text that are not empty. */
export function lastLines(text: string, count: number): string {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-count)
    .join("\n");
}
