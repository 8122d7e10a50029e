// A simulated world: time, chance, servers that survive everything, and processes that do not. It holds what is
// durable, lets programs run in processes, and collects what must not happen.
import type { CheckpointStore } from "../../runtime/contract/store.ts";
import { type Faults, noFaults } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import { SimulatedTable, type TableKind } from "./simulated-sink.ts";
import { SimulatedTopic } from "./simulated-source.ts";
import { SimulatedLog, SimulatedStore } from "./simulated-store.ts";
import { SimulatedTime } from "./simulated-time.ts";

/** The runtime under test: the real one, or a copy that was broken on purpose. */
export type Runtime = typeof import("../../runtime/index.ts");

export interface WorldOptions {
  readonly seed: number;
  readonly runtime: Runtime;
  readonly tableKind: TableKind;
  /** Keeps a line of everything that happens. */
  readonly keepsTrace?: boolean;
}

export class SimulatedWorld {
  readonly runtime: Runtime;
  readonly random: Random;
  readonly time = new SimulatedTime();
  readonly topic = new SimulatedTopic();
  readonly table: SimulatedTable;
  readonly deadLetters: SimulatedTable;
  readonly ledger: Ledger;
  readonly logs: readonly [SimulatedLog, SimulatedLog];
  readonly processes: SimulatedProcess[] = [];
  readonly violations: string[] = [];
  readonly trace: string[] | undefined;
  faults: Faults = noFaults;
  /** Whether sinks of jobs with `commit: "manual"` commit with every batch, and not as it happens. */
  commitsEachBatch = false;
  /** Whether a process that stands still goes on after a while; a scenario may want to say when. */
  thawsByItself = true;

  constructor({ seed, runtime, tableKind, keepsTrace = false }: WorldOptions) {
    this.runtime = runtime;
    this.random = new Random(seed);
    this.trace = keepsTrace ? [] : undefined;
    this.table = new SimulatedTable(tableKind);
    this.deadLetters = new SimulatedTable(tableKind);
    this.ledger = new Ledger(this);
    const onEntry: ConstructorParameters<typeof SimulatedLog>[1] = (log, entry, writer) =>
      this.ledger.onEntry(log, entry, writer);
    this.logs = [new SimulatedLog("simulated:a", onEntry), new SimulatedLog("simulated:b", onEntry)];
  }

  /** Starts a program in a process of its own. */
  start(name: string, program: (process: SimulatedProcess) => Promise<unknown>): SimulatedProcess {
    const process = new SimulatedProcess(this, name);
    this.processes.push(process);
    this.note(`${name} starts`);
    program(process).then(
      (value) => {
        this.note(`${name} ends: ${text(value)}`);
        process.outcome = { value };
      },
      (error: unknown) => {
        this.note(`${name} ends: ${String(error)}`);
        process.outcome = { error };
      },
    );
    return process;
  }

  store(process: SimulatedProcess, log: SimulatedLog): CheckpointStore {
    return new SimulatedStore(process, log);
  }

  /** Remembers a line for whoever reads the story of a failure. */
  note(line: string): void {
    this.trace?.push(`${String(this.time.nowMs).padStart(7)} ${line}`);
  }

  violate(message: string): void {
    this.note(`VIOLATION ${message}`);
    this.violations.push(message);
  }
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part)) ?? "nothing";
}
