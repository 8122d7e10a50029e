// A simulated world for one directed scenario: what happens is said step by step, and nothing is left to chance but
// the travelling times of requests.
import * as wholeRuntime from "../../runtime/index.ts";
import type { EntryBody } from "../../runtime/journal/entry.ts";
import { decodeEntry } from "../../runtime/journal/entry.ts";
import { type Faults, noFaults } from "./faults.ts";
import { JOB_NAME, type JobSettings, jobIn, PLAIN_SETTINGS, type RunSettings, startRun } from "./simulated-job.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { TableKind } from "./simulated-sink.ts";
import { type SimulatedLog, SimulatedStore } from "./simulated-store.ts";
import { judgeOutput } from "./verdict.ts";
import { type Runtime, SimulatedWorld } from "./world.ts";

const HOUR_MS = 3_600_000;

export interface SceneOptions {
  readonly runtime?: Runtime;
  readonly settings?: Partial<JobSettings>;
  readonly tableKind?: TableKind;
  /** Good records that are there at the beginning, by partition. */
  readonly records?: readonly number[];
}

export class Scene {
  readonly world: SimulatedWorld;
  readonly #settings: JobSettings;

  constructor({ runtime = wholeRuntime, settings = {}, tableKind = "epoch", records = [6] }: SceneOptions = {}) {
    this.world = new SimulatedWorld({ seed: 7, runtime, tableKind });
    this.world.thawsByItself = false;
    this.#settings = { ...PLAIN_SETTINGS, ...settings };
    records.forEach((count, partition) => {
      this.world.topic.addPartition();
      this.grow(partition, count);
    });
  }

  get log(): SimulatedLog {
    return this.world.logs[0];
  }

  grow(partition: number, count: number): void {
    for (let record = 0; record < count; record++) this.world.topic.append(partition, "good");
  }

  /** Starts a run and lets the world go on until it has ended, crashed or stands still. */
  async run(name: string, faults: Faults = noFaults, run?: Partial<RunSettings>, log = this.log) {
    const process = this.start(name, faults, run, log);
    return this.settled(process);
  }

  start(name: string, faults: Faults = noFaults, run: Partial<RunSettings> = {}, log = this.log): SimulatedProcess {
    this.world.faults = faults;
    return startRun(this.world, name, log, this.#settings, { trigger: "available-now", takeOver: true, ...run });
  }

  reset(options: { abandonInHand?: boolean; to?: "earliest" | "latest" }): Promise<SimulatedProcess> {
    const { world } = this;
    const process = world.start("reset", (self) => {
      const context = { checkpoint: new SimulatedStore(self, this.log), clock: self.clock };
      const job = jobIn(world, self, this.#settings);
      return world.runtime.resetJob(job, { ...context, to: "earliest", execute: true, ...options });
    });
    return this.settled(process);
  }

  startCopy(name = "copy", faults: Faults = noFaults): SimulatedProcess {
    const { world } = this;
    world.faults = faults;
    const [from, to] = world.logs;
    return world.start(name, (self) =>
      world.runtime.copyCheckpoint({
        jobName: JOB_NAME,
        from: new SimulatedStore(self, from),
        to: new SimulatedStore(self, to),
        clock: self.clock,
      }),
    );
  }

  async settled(process: SimulatedProcess): Promise<SimulatedProcess> {
    const isSettled = () => process.isFrozen || !process.isAlive;
    if (!(await this.world.time.runUntil(isSettled, HOUR_MS))) throw new Error(`${process.name} hangs`);
    return process;
  }

  /** Lets a process that stands still go on to its end. */
  thawed(process: SimulatedProcess): Promise<SimulatedProcess> {
    process.thaw();
    return this.settled(process);
  }

  /** Whatever is on its way arrives, dead runs' heartbeats grow stale. */
  async later(): Promise<void> {
    await this.world.time.runUntil(() => false, 120_000);
  }

  /** The entries that are kept now. */
  entries(log = this.log): EntryBody[] {
    return [...log.entries.values()].map(({ bytes }) => decodeEntry(bytes, "an entry").body);
  }

  kinds(log = this.log): string {
    return this.entries(log)
      .map((body) => (body.kind === "complete" && body.next !== undefined ? "complete+plan" : body.kind))
      .join(" ");
  }

  /** All visible rows. */
  get rows(): unknown[] {
    return this.world.table.commits.flatMap(({ rows }) => rows);
  }

  /** What is wrong, everything being done. */
  verdict(): string[] {
    judgeOutput(this.world);
    return this.world.violations;
  }
}

/** The error a process ended with; undefined when it ended well. */
export function errorOf({ outcome }: SimulatedProcess): unknown {
  return outcome !== undefined && "error" in outcome ? outcome.error : undefined;
}
