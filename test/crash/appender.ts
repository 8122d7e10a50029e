// Runs append-forever.ts as a process of its own, and collects what it says the store has acknowledged.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("append-forever.ts", import.meta.url));

/** One running appender. */
export class Appender {
  /** By entry number, the token; only of acknowledged appends after the one that began the term. */
  readonly acknowledged = new Map<bigint, string>();
  /** The line with which it said that it was refused. */
  refused: string | undefined;
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  #rest = "";
  #errors = "";
  #waiting: (() => void)[] = [];
  readonly #lines: string[] = [];

  /** Starts it on the store in `dir`, under another command (strace) if one is given. */
  constructor(dir: string, { count, under = [] }: { count?: number; under?: readonly string[] } = {}) {
    const [command = "", ...rest] = [
      ...under,
      process.execPath,
      PROGRAM,
      dir,
      ...(count === undefined ? [] : [`${count}`]),
    ];
    this.#process = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
    this.#closed = once(this.#process, "close");
    this.#closed.catch(() => undefined);
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    this.#process.on("close", () => this.#wake());
  }

  /** Waits until a line begins so. @throws Error it ended before that */
  async says(beginning: string): Promise<void> {
    while (!this.#lines.some((line) => line.startsWith(beginning))) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        throw new Error(`the appender ended before it said ${beginning}: ${this.#errors}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** SIGKILL, and then all that it had said before. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#closed;
  }

  /** Waits for its end. @throws Error it failed */
  async done(): Promise<void> {
    await this.#closed;
    if (this.#process.exitCode !== 0) throw new Error(`the appender failed: ${this.#errors}`);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const [word, seq = "", token = ""] = line.split(" ");
      if (word === "appended") this.acknowledged.set(BigInt(seq), token);
      else this.#lines.push(line);
      if (word === "refused") this.refused = line;
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
