// One random schedule: a seed decides what the log gets, who starts, stops, resets and copies what and when, and what
// goes wrong. After the trouble comes calm: everything that still runs is told to stop and must end, what is on its
// way arrives, and one more run must finish all there is.
import type { CommitMode } from "../../runtime/contract/job.ts";
import { noFaults, randomFaults } from "./faults.ts";
import type { Random } from "./random.ts";
import { JOB_NAME, type JobSettings, jobIn, PLAIN_SETTINGS, startRun } from "./simulated-job.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { TABLE_KINDS } from "./simulated-sink.ts";
import type { RecordKind } from "./simulated-source.ts";
import type { SimulatedLog } from "./simulated-store.ts";
import { judgeEnd, judgeOutput, type MayEnd } from "./verdict.ts";
import { type Runtime, SimulatedWorld } from "./world.ts";

const HOUR_MS = 3_600_000;
const MAX_PROCESSES_AT_ONCE = 3;

export interface ScheduleOptions {
  readonly seed: number;
  readonly runtime: Runtime;
  readonly keepsTrace?: boolean;
  /** Breaks the world on purpose, before anything starts. */
  readonly prepare?: (world: SimulatedWorld) => void;
  /** When the runs commit, each as one of these; by default the seed decides. */
  readonly commitModes?: readonly [CommitMode, ...CommitMode[]];
}

/** Runs and judges the schedule of a seed. */
export async function runSchedule(options: ScheduleOptions): Promise<SimulatedWorld> {
  const schedule = new Schedule(options);
  await schedule.trouble();
  await schedule.calm();
  return schedule.world;
}

interface Started {
  readonly process: SimulatedProcess;
  /** Where it works. */
  readonly logs: readonly SimulatedLog[];
  readonly mayRefuse: boolean;
  isJudged: boolean;
}

class Schedule {
  readonly world: SimulatedWorld;
  readonly #random: Random;
  readonly #settings: JobSettings;
  readonly #trims: boolean;
  readonly #commitModes: readonly [CommitMode, ...CommitMode[]] | undefined;
  readonly #started: Started[] = [];
  #count = 0;

  constructor({ seed, runtime, keepsTrace = false, prepare = () => {}, commitModes }: ScheduleOptions) {
    const tableKind = TABLE_KINDS[seed % TABLE_KINDS.length] ?? "epoch";
    this.world = new SimulatedWorld({ seed, runtime, tableKind, keepsTrace });
    const { random, topic } = this.world;
    this.#random = random;
    this.#trims = random.chance(0.15);
    this.#settings = {
      ...PLAIN_SETTINGS,
      startingOffsets: random.chance(0.2) ? "latest" : "earliest",
      failOnDataLoss: !this.#trims,
      sendsDeadLetters: random.chance(0.3),
      combines: random.chance(0.2),
      maxOffsetsPerBatch: random.pick(undefined, 1, 3, 5),
      minOffsetsPerBatch: random.pick(1, 1, 3),
      retainBatches: random.pick(1, 2, 1_000),
      phaseTimeoutMs: random.pick(5_000, 30_000, 300_000),
    };
    for (let partitions = random.between(0, 3); partitions > 0; partitions--) topic.addPartition();
    this.#grow(random.between(0, 8));
    const auto = { autoCommitIntervalMs: random.pick(1, 100, 2_000) };
    this.#commitModes = commitModes ?? random.pick(undefined, undefined, [auto], ["manual"], ["batch", auto, "manual"]);
    const pageEntries = random.pick(1, 4, 16);
    for (const log of this.world.logs) log.pageEntries = pageEntries;
    prepare(this.world);
  }

  /** Until nothing more is begun; what was begun goes on. */
  async trouble(): Promise<void> {
    const random = this.#random;
    this.world.faults = randomFaults(random, random.pick(0, 0.005, 0.02, 0.05));
    for (let step = random.between(4, 14); step > 0; step--) {
      this.#operate();
      await this.#wait(random.between(0, random.pick(50, 500, 5_000)));
    }
  }

  async calm(): Promise<void> {
    const { world } = this;
    world.faults = noFaults;
    world.commitsEachBatch = true;
    for (const { process } of this.#started) {
      process.thaw();
      process.stop();
    }
    const isQuiet = () => this.#started.every(({ process }) => !process.isAlive);
    if (!(await world.time.runUntil(isQuiet, HOUR_MS))) world.violate(`a run told to stop goes on: ${this.#running()}`);
    // What is still on its way arrives.
    await world.time.runUntil(() => false, 120_000);
    this.#judgeEnds();
    if (world.violations.length > 0) return;
    await this.#finishMove();
    await this.#finish("the last run");
    if (!this.#random.chance(0.1) || world.violations.length > 0) return;
    // Somebody deletes the checkpoint: a new lineage begins, and does everything again under its own name.
    for (const log of world.logs) log.wipe();
    world.note("the checkpoint is deleted");
    await this.#finish("the first run of a new lineage");
  }

  /** One thing that people, supervisors or the world do. */
  #operate(): void {
    const random = this.#random;
    const alive = this.#started.filter(({ process }) => process.isAlive);
    const [first, ...others] = alive;
    const some = first && random.pick(first, ...others).process;
    const actions: (() => void)[] = [
      () => this.#startRun(),
      () => this.#startRun(),
      () => this.#startRun(),
      () => this.#grow(random.between(1, 6)),
      () => this.#grow(random.between(1, 6)),
      () => this.#startReset(),
      () => some?.stop(),
      () => some?.crash(),
      () => some?.thaw(),
      () => (random.chance(0.3) ? some?.abort() : undefined),
      () => this.#look(),
      () => {
        // Two people may type the same command.
        for (let copies = random.between(1, 2); copies > 0; copies--) this.#startCopy();
      },
      () => this.#trim(),
    ];
    const isCrowded = alive.length >= MAX_PROCESSES_AT_ONCE;
    actions[random.between(isCrowded ? 3 : 0, actions.length - 1)]?.();
  }

  /** Where a job would be started: where its checkpoint was last seen to be. */
  #place(): SimulatedLog {
    const { ledger, logs } = this.world;
    return ledger.newest?.home ?? logs[0];
  }

  #startRun(): void {
    const random = this.#random;
    const trigger = random.pick("available-now", "available-now", "continuous", "once", { intervalMs: 300 } as const);
    const log = this.#place();
    const run = { trigger, takeOver: random.chance(0.6) };
    const commit = this.#commitMode();
    const process = startRun(this.world, this.#name("run"), log, { ...this.#settings, commit }, run);
    this.#started.push({ process, logs: [log], mayRefuse: this.#mayMove(log), isJudged: false });
  }

  /** In some schedules always "batch", in some another, in some now this and now that. */
  #commitMode(): CommitMode {
    return this.#commitModes === undefined ? "batch" : this.#random.pick(...this.#commitModes);
  }

  #startReset(): void {
    const random = this.#random;
    const { world } = this;
    const log = this.#place();
    const abandonInHand = random.chance(0.5);
    const to = random.pick("earliest", "latest", { shiftBy: -2n } as const, { shiftBy: 1n } as const);
    const process = world.start(this.#name("reset"), (self) =>
      world.runtime.resetJob(jobIn(world, self, this.#settings), {
        checkpoint: world.store(self, log),
        clock: self.clock,
        signal: self.abortSignal,
        to,
        execute: random.chance(0.8),
        abandonInHand,
      }),
    );
    this.#started.push({ process, logs: [log], mayRefuse: true, isJudged: false });
  }

  #startCopy(): SimulatedProcess {
    const { world } = this;
    const from = this.#place();
    const to = world.logs[from === world.logs[0] ? 1 : 0];
    const process = world.start(this.#name("copy"), (self) =>
      world.runtime.copyCheckpoint({
        jobName: JOB_NAME,
        from: world.store(self, from),
        to: world.store(self, to),
        clock: self.clock,
        signal: self.abortSignal,
      }),
    );
    this.#started.push({ process, logs: [from, to], mayRefuse: true, isJudged: false });
    return process;
  }

  /** Somebody looks at the job's batches and positions while it runs. */
  #look(): void {
    const { world } = this;
    const log = this.#place();
    const process = world.start(this.#name("look"), async (self) => {
      const options = { checkpoint: world.store(self, log), clock: self.clock, signal: self.abortSignal };
      await world.runtime.batches(jobIn(world, self, this.#settings), options);
      return world.runtime.offsets(jobIn(world, self, this.#settings), options);
    });
    this.#started.push({ process, logs: [log], mayRefuse: true, isJudged: false });
  }

  #grow(records: number): void {
    const random = this.#random;
    const { topic } = this.world;
    if (topic.partitions.length < 4 && random.chance(0.2)) topic.addPartition();
    for (let record = 0; record < records && topic.partitions.length > 0; record++) {
      const kind: RecordKind = random.chance(0.8) ? "good" : random.pick("tombstone", "undecodable", "throws");
      topic.append(random.between(0, topic.partitions.length - 1), kind, random.chance(0.1) ? 2n : 0n);
    }
  }

  #trim(): void {
    const { topic } = this.world;
    if (!this.#trims || topic.partitions.length === 0) return;
    const partition = this.#random.between(0, topic.partitions.length - 1);
    const { earliest, latest } = topic.partition(partition);
    topic.trim(partition, earliest + BigInt(this.#random.between(0, Number(latest - earliest))));
    this.world.note(`partition ${partition} forgets what is below ${topic.partition(partition).earliest}`);
  }

  async #wait(ms: number): Promise<void> {
    await this.world.time.runUntil(() => this.world.violations.length > 0, ms);
    this.#judgeEnds();
  }

  /** A move that was broken off is typed again. */
  async #finishMove(): Promise<void> {
    const { world } = this;
    if (world.ledger.newest?.movedTo === undefined) return;
    const copy = this.#startCopy();
    if (!(await world.time.runUntil(() => copy.outcome !== undefined, HOUR_MS))) world.violate("the copy hangs");
    if (copy.outcome && "error" in copy.outcome) world.violate(`the copy cannot go on: ${String(copy.outcome.error)}`);
  }

  async #finish(name: string): Promise<void> {
    const { world } = this;
    const log = this.#place();
    const run = { trigger: "available-now", takeOver: this.#random.chance(0.5) } as const;
    const process = startRun(world, name, log, { ...this.#settings, commit: this.#commitMode() }, run);
    const isOver = () => process.outcome !== undefined || world.violations.length > 0;
    if (!(await world.time.runUntil(isOver, HOUR_MS))) world.violate(`${name} hangs`);
    const { outcome } = process;
    if (outcome && "error" in outcome) world.violate(`${name} failed: ${String(outcome.error)}`);
    if (world.violations.length === 0) judgeOutput(world);
  }

  #judgeEnds(): void {
    for (const started of this.#started) {
      const { process, logs } = started;
      if (started.isJudged || process.outcome === undefined) continue;
      started.isJudged = true;
      const may: MayEnd = {
        inTrouble: true,
        wasAborted: true,
        mayRefuse: started.mayRefuse || logs.some((log) => this.#mayMove(log)),
      };
      judgeEnd(this.world, process, logs, may);
    }
  }

  /** Whether somebody has begun to move the job away from this place, or to it. */
  #mayMove(log: SimulatedLog): boolean {
    return this.#started.some(({ process }) => process.name.startsWith("copy")) || log !== this.#place();
  }

  #name(kind: string): string {
    return `${kind}-${this.#count++}`;
  }

  #running(): string {
    return this.#started
      .filter(({ process }) => process.isAlive)
      .map(({ process }) => process.name)
      .join();
  }
}
