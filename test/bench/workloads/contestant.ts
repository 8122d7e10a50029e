// What the comparison knows of a program that takes part: how it is got ready, the command that runs it once, and how
// what it prints is read. A new one is a file in peers/, and a line in the workloads that it takes part in.
import type { Say } from "../../servers/say.ts";
import type { Digest, Expected } from "./expected.ts";

/** What one run works on. */
export interface Run {
  readonly brokers: string;
  readonly topic: string;
  /** Records in the topic. */
  readonly records: number;
  /** What the records come to. */
  readonly expected: Expected;
  /** Records in a batch, or milliseconds of event time in a window: there is a record each. */
  readonly batch: number;
  /** A topic without records, or a table without rows, of this run alone. */
  readonly output: string;
  readonly database: string;
  /** The folder of psql. */
  readonly postgresBin: string;
  /** Of this run alone; removed after it. Absolute. */
  readonly folder: string;
  /** Random: for names on servers. */
  readonly name: string;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a run says of itself: milliseconds since 1970, where it knows them. */
export interface RunReport {
  /** The job was started: whatever had to be loaded and connected before it, as the program's users do, is done. */
  readonly startedAtMs?: number;
  /** The first record was there, or the first batch began. */
  readonly firstRecordAtMs?: number;
  /** The result was complete, and durable where the workload says so. */
  readonly doneAtMs?: number;
  /** How long the work took, from a program that tells that instead of its start and end. */
  readonly workMs?: number;
  /** Undefined or empty where the result is elsewhere: in the output topic or table. */
  readonly digest?: Digest;
}

export interface Tools {
  /** `.servers`: downloads are kept there. Absolute. */
  readonly root: string;
  readonly say: Say;
  readonly signal: AbortSignal;
}

/** The command of one run; what it makes ready is no part of the run's time. */
export type CommandOf = (run: Run) => Command | Promise<Command>;

export type Side = "ours" | "peer" | "floor";

export interface Contestant {
  /** As typed: `--peers NAME`. Several may share one. */
  readonly name: string;
  /** For people, with what sets it apart from others of the name. */
  readonly label: string;
  /** A floor is what the same rows cost without any engine. */
  readonly side: Side;
  /** Its result is at least once only; its time counts all the same, and the table says so. */
  readonly atLeastOnce?: boolean;
  /** What of its digest must be right; default all. Only for a floor that writes other rows, as many. */
  readonly checked?: readonly string[];
  /**
   * Installs, downloads and compiles what it needs; idempotent.
   * @throws ConfigError a tool is missing; then it is left out, with a line
   */
  prepare(tools: Tools): Promise<CommandOf>;
  /** Default: the line `RESULT {…}` of its stdout. */
  read?(stdout: string, run: Run): RunReport;
}

/**
 * The report in the line `RESULT {…}`.
 * @throws Error there is none
 */
export function readResultLine(stdout: string): RunReport {
  const [, text] = /^RESULT (\{.*\})$/m.exec(stdout) ?? [];
  if (text === undefined) throw new Error("it printed no line RESULT");
  return JSON.parse(text) as RunReport;
}
