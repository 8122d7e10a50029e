// Where everything that the command line says goes: results to stdout, logs and progress to stderr, one line each; as
// text or, with --log-format json, as one JSON object a line. Colours and live lines only where a terminal is.
import { styleText } from "node:util";
import { systemClock } from "../clock.ts";
import { toJson } from "./json-output.ts";
import { LiveArea } from "./live-area.ts";
import { printable } from "./printable.ts";

export type LogLevel = "info" | "warning" | "error";
export type LogFormat = "text" | "json";

export interface LogFields {
  /** The job that it is about. */
  readonly job?: string | undefined;
  /** More, for --log-format json only. */
  readonly [name: string]: unknown;
}

const LEVEL_STYLES = { info: undefined, warning: "yellow", error: "red" } as const;

/** The terminal, or what stands in its place. */
export class Screen {
  logFormat: LogFormat = "text";
  /** Stack traces and the chain of causes are wanted. */
  isVerbose = false;
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;

  constructor(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Characters in a line of results; 80 where there is no terminal. */
  get columns(): number {
    return this.#stdout.columns ?? 80;
  }

  /** Whether results may have colours. */
  get isStyled(): boolean {
    return isColourful(this.#stdout);
  }

  /** A result, on stdout. */
  print(text: string): void {
    this.#stdout.write(`${text}\n`);
  }

  /** Something to know, on stderr: one line, or a few. */
  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    const { job, ...more } = fields;
    if (this.logFormat === "json") {
      const time = new Date(systemClock.now()).toISOString();
      const line = { time, level, ...(job === undefined ? {} : { job }), message, ...more };
      this.#stderr.write(`${toJson(line, { indent: false })}\n`);
      return;
    }
    const label = level === "info" ? "" : `${this.styledForLog(`${level}:`, level)} `;
    this.#stderr.write(`${job === undefined ? "" : `${job}: `}${label}${printable(message)}\n`);
  }

  /** Text in the colour of a level, where stderr has colours. */
  styledForLog(text: string, level: LogLevel): string {
    const style = LEVEL_STYLES[level];
    if (style === undefined || !isColourful(this.#stderr)) return text;
    return styleText([style, "bold"], text, { validateStream: false });
  }

  /** An area of live lines, where stderr is a terminal that a person reads. Dispose it before the end. */
  liveArea(): LiveArea | undefined {
    const isLive = this.#stderr.isTTY && this.logFormat === "text" && process.env["TERM"] !== "dumb";
    return isLive ? new LiveArea(this.#stderr, this.#stdout) : undefined;
  }
}

function isColourful(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}
