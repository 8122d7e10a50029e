// Runs a command under strace: to see its system calls, or to make some of them fail. Where there is no strace (or it
// may not trace), tests that need it are skipped, and say so.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { callsIn, type SystemCall } from "./system-calls.ts";

/** Skips the test where strace does not run. */
export function needStrace(context: { skip(why: string): void }): void {
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "pipe" });
  } catch (error) {
    context.skip(`strace does not run here (apt-get install strace): ${String(error).split("\n")[0]}`);
  }
}

/**
 * The command that runs another one and writes what it calls to `output`.
 * @param inject as strace's own: "fsync:error=EIO:when=3"; counts each thread's calls
 */
export function strace(output: string, calls: string, inject?: string): string[] {
  const faults = inject === undefined ? [] : ["-e", `inject=${inject}`];
  return ["strace", "-f", "-y", "-s", "256", "-e", `trace=${calls}`, ...faults, "-o", output];
}

/** The calls in what strace wrote. */
export function tracedCalls(output: string): SystemCall[] {
  return callsIn(readFileSync(output, "utf8"));
}
