// W5: records come at a steady 1,000 a second while batches run back to back: how long each took until its batch was
// recorded as complete, and how long batches took. Ours and Spark's in turns, each on a topic of its own, with one
// producer in a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Spread, spread } from "../report.ts";
import type { Arena } from "./arena.ts";
import type { Command, Run, Tools } from "./contestant.ts";
import { type MeasuredProcess, measureProcess } from "./measure-process.ts";

const PER_SECOND = 1_000;
const SECONDS = 20;
const PARTITIONS = 4;
/** On a machine that is busy with other things, Spark takes a minute to start. */
const TIMEOUT_MS = 240_000;
const producer = fileURLToPath(new URL("../latency-producer.ts", import.meta.url));

/** Who takes part; prints milliseconds, in the shape of `Printed`, as its last line. */
export interface LatencyContestant {
  /** As typed: `--peers NAME`. */
  readonly name: string;
  readonly label: string;
  /** A line by which it says that it reads now; undefined: records may come before it does. */
  readonly readyLine?: string;
  prepare(tools: Tools): Promise<(run: Run, records: number, secondsAtMost: number) => Command>;
}

/** Its first quarter, while programs are loaded and compiled, is left out. */
interface Printed {
  readonly seen: number;
  readonly latenciesMs: readonly number[];
  readonly batchesMs: readonly number[];
}

export interface LatencyRow {
  readonly label: string;
  /** Milliseconds; undefined when it never saw all records. */
  readonly figures?: {
    readonly recordP50: Spread;
    readonly recordP99: Spread;
    readonly batchP50: Spread;
    readonly batchP99: Spread;
    readonly cpuSeconds: Spread;
    readonly peakMb: number;
  };
  readonly failures: readonly string[];
}

export interface LatencyComparison {
  readonly kind: "latency";
  readonly workload: "w5";
  readonly perSecond: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly rows: readonly LatencyRow[];
}

type Round = readonly [
  recordP50: number,
  recordP99: number,
  batchP50: number,
  batchP99: number,
  cpu: number,
  mb: number,
];

/** Runs all rounds. */
export async function compareLatency(
  arena: Arena,
  contestants: readonly LatencyContestant[],
  rounds: number,
  tools: Tools,
): Promise<LatencyComparison> {
  const all = await Promise.all(
    contestants.map(async (contestant) => {
      const found: { measured: Round[]; failures: string[] } = { measured: [], failures: [] };
      return { contestant, commandOf: await contestant.prepare(tools), ...found };
    }),
  );
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const next = all[(round + turn) % all.length];
      if (next === undefined) continue;
      const { contestant, commandOf, measured, failures } = next;
      const tell = (text: string) => tools.say(`w5 round ${round + 1} of ${rounds}: ${contestant.label}: ${text}`);
      try {
        const figures = await runOnce(arena, contestant, commandOf, tools);
        measured.push(figures);
        tell(`p50 ${figures[0].toFixed(1)} ms, p99 ${figures[1].toFixed(1)} ms`);
      } catch (error) {
        tools.signal.throwIfAborted();
        failures.push(error instanceof Error ? error.message : String(error));
        tell(failures.at(-1) ?? "");
      }
    }
  }
  const rows = all.map(({ contestant: { label }, measured, failures }) => rowOf(label, measured, failures));
  return { kind: "latency", workload: "w5", perSecond: PER_SECOND, seconds: SECONDS, rounds, rows };
}

function rowOf(label: string, measured: readonly Round[], failures: readonly string[]): LatencyRow {
  if (measured.length === 0) return { label, failures };
  const of = (index: number) => spread(measured.map((round) => round[index] ?? 0));
  return {
    label,
    figures: {
      ...{ recordP50: of(0), recordP99: of(1), batchP50: of(2), batchP99: of(3), cpuSeconds: of(4) },
      peakMb: of(5).max,
    },
    failures,
  };
}

async function runOnce(
  arena: Arena,
  { readyLine }: LatencyContestant,
  commandOf: Awaited<ReturnType<LatencyContestant["prepare"]>>,
  tools: Tools,
): Promise<Round> {
  await using place = await arena.place({ output: "topic" });
  const { run } = place;
  const records = PER_SECOND * SECONDS;
  let sender: ChildProcess | undefined;
  const begin = () => {
    const args = [producer, run.brokers, run.output, PARTITIONS, PER_SECOND, SECONDS].map(String);
    sender ??= spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  };
  if (readyLine === undefined) begin();
  const onStdout = (printed: string) => {
    if (readyLine !== undefined && printed.includes(`${readyLine}\n`)) begin();
  };
  try {
    const command = commandOf(run, records, TIMEOUT_MS / 1000 - 30);
    return roundOf(
      await measureProcess(command, { cwd: run.folder, timeoutMs: TIMEOUT_MS, onStdout, signal: tools.signal }),
      records,
    );
  } finally {
    if (sender !== undefined && sender.exitCode === null) {
      sender.kill("SIGKILL");
      await once(sender, "close");
    }
  }
}

function roundOf({ stdout, cpuSeconds, peakMb }: MeasuredProcess, records: number): Round {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  const { seen, latenciesMs, batchesMs } = JSON.parse(line.replace(/^RESULT /, "")) as Printed;
  if (seen !== records) throw new Error(`WRONG RESULT: ${seen} records instead of ${records}`);
  const [record, batch] = [percentiles(latenciesMs), percentiles(batchesMs)];
  return [...record, ...batch, cpuSeconds, peakMb];
}

/** p50 and p99. */
export function percentiles(numbers: readonly number[]): [p50: number, p99: number] {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return [at(0.5), at(0.99)];
}
