// The real command as a process of its own (one process, so that its pid is the job's), watched by what it says.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SAYS_WITHIN_MS = 20_000;

export interface StartOptions {
  /** The source tree whose command is run; default: this one. */
  readonly root?: string;
  /** More arguments after `start job.ts`. */
  readonly args?: readonly string[];
  /** Another command to run it under: strace and its arguments. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One `runtime start`. */
export class JobProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  #stderr = "";
  #waiting: (() => void)[] = [];

  constructor(jobFile: string, { root = ROOT, args = [], under = [], env = {} }: StartOptions = {}) {
    const command = [process.execPath, join(root, "runtime/cli/launch.js"), "start", jobFile, ...args];
    const [executable = "", ...rest] = [...under, ...command];
    this.#process = spawn(executable, rest, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    this.#closed = once(this.#process, "close");
    this.#process.stdout?.resume();
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.#process.on("close", () => this.#wake());
  }

  /** All that it has said on stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until it has said this. @throws Error it ended, or the time was over, before that */
  async says(what: RegExp, withinMs = SAYS_WITHIN_MS): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(withinMs);
    deadline.addEventListener("abort", () => this.#wake());
    for (;;) {
      const found = what.exec(this.#stderr);
      if (found !== null) return found;
      if (this.hasEnded) throw new Error(`it ended before it said ${what}:\n${this.#stderr}`);
      if (deadline.aborted) throw new Error(`it has not said ${what} yet:\n${this.#stderr}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  send(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** SIGKILL, and then all that it had said before. */
  async kill(): Promise<void> {
    this.send("SIGKILL");
    await this.ended();
  }

  /** Waits for its end. */
  async ended(): Promise<Ended> {
    await this.#closed;
    return { code: this.#process.exitCode, signal: this.#process.signalCode };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) this.send("SIGKILL");
    await this.#closed;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
