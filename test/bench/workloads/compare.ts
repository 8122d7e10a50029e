// One workload, all who take part, in turns: every round runs each once, and begins with another. A run's result is
// compared with what it must be before its time counts; a wrong one is told and has no figures.
import { ConfigError } from "../../../runtime/index.ts";
import type { Arena } from "./arena.ts";
import { type CommandOf, type Contestant, readResultLine, type Side, type Tools } from "./contestant.ts";
import { difference } from "./expected.ts";
import { type Figures, figuresOf, type Summary, summaryOf } from "./figures.ts";
import { measureProcess } from "./measure-process.ts";
import type { Workload } from "./workload.ts";

const RUN_TIMEOUT_MS = 600_000;

export interface Row {
  readonly label: string;
  readonly side: Side;
  readonly atLeastOnce: boolean;
  /** Undefined when no run had a right result. */
  readonly summary: Summary | undefined;
  /** Why runs have no figures. */
  readonly failures: readonly string[];
}

export interface Comparison {
  readonly kind: "throughput";
  readonly workload: string;
  readonly title: string;
  readonly records: number;
  readonly batch: number;
  readonly rounds: number;
  readonly rows: readonly Row[];
}

export interface CompareOptions {
  readonly records: number;
  readonly batch: number;
  /** ≥ 1. */
  readonly rounds: number;
  /** Names of peers and floors; undefined: all. Ours always take part. */
  readonly peers: readonly string[] | undefined;
}

interface Ready {
  readonly contestant: Contestant;
  readonly commandOf: CommandOf;
  readonly figures: Figures[];
  readonly failures: string[];
}

/** Runs a workload's rounds. */
export async function compare(
  workload: Workload,
  arena: Arena,
  options: CompareOptions,
  tools: Tools,
): Promise<Comparison> {
  const { records, batch, rounds } = options;
  const ready = await prepareAll(workload, options, tools);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < ready.length; turn++) {
      const next = ready[(round + turn) % ready.length];
      if (next !== undefined) await runOnce(workload, arena, next, `round ${round + 1} of ${rounds}`, tools);
    }
  }
  const rows = ready.map(({ contestant: { label, side, atLeastOnce = false }, figures, failures }) => {
    return { label, side, atLeastOnce, summary: summaryOf(figures), failures };
  });
  return { kind: "throughput", workload: workload.name, title: workload.title, records, batch, rounds, rows };
}

async function prepareAll(workload: Workload, { peers }: CompareOptions, tools: Tools): Promise<Ready[]> {
  const ready: Ready[] = [];
  for (const contestant of workload.contestants) {
    if (contestant.side !== "ours" && peers !== undefined && !peers.includes(contestant.name)) continue;
    try {
      ready.push({ contestant, commandOf: await contestant.prepare(tools), figures: [], failures: [] });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      tools.say(`${contestant.label} is left out: ${error.message}. Type: ${error.hint}`);
    }
  }
  return ready;
}

async function runOnce(workload: Workload, arena: Arena, ready: Ready, when: string, tools: Tools): Promise<void> {
  const { contestant, commandOf, figures, failures } = ready;
  const tell = (text: string) => tools.say(`${workload.name} ${when}: ${contestant.label}: ${text}`);
  try {
    await using place = await arena.place(workload);
    const { run } = place;
    const command = await commandOf(run);
    const where = { cwd: run.folder, timeoutMs: RUN_TIMEOUT_MS, signal: tools.signal };
    const measured = await measureProcess(command, where);
    const report = contestant.read?.(measured.stdout, run) ?? readResultLine(measured.stdout);
    const isTold = Object.keys(report.digest ?? {}).length > 0;
    const digest = (isTold ? report.digest : await place.digestOfOutput()) ?? {};
    const wrong = difference(workload.expected(run.expected), digest, contestant.checked);
    if (wrong !== undefined) throw new Error(`WRONG RESULT: ${wrong}`);
    const measuredFigures = figuresOf(run.records, measured, report);
    figures.push(measuredFigures);
    tell(`${Math.round(measuredFigures.work / 1000).toLocaleString("en")} k records/s`);
  } catch (error) {
    tools.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    failures.push(message);
    tell(message);
  }
}
