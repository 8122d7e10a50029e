// Says once a run that more threads would pay: one thread is busy all the time, batch after batch, while the machine
// has others and the batches have several partitions. Time in which the thread waits, or did not get its core, speaks
// against it.
import type { Plan } from "../plan/plan.ts";

const BATCHES = 5;
const LEAST_MS = 3_000;
const BUSY = 0.9;

export interface Usage {
  /** A time of a clock that never goes back, ms. */
  readonly elapsedMs: number;
  /** What the process has used of its cores so far, ms. */
  readonly cpuMs: number;
}

/** Watches the batches of a run on one thread. */
export class ThreadAdvice {
  readonly #cores: number;
  /** When the run of busy batches began; undefined: the next one begins it. */
  #since: Usage | undefined;
  #batches = 0;
  #isGiven = false;

  constructor(cores: number) {
    this.#cores = cores;
  }

  /** Told after each batch. @returns the advice, when it is time for it */
  completed({ ranges }: Pick<Plan, "ranges">, now: Usage): string | undefined {
    const tasks = ranges.filter(({ fromOffset, untilOffset }) => fromOffset < untilOffset).length;
    if (this.#isGiven || this.#cores < 2 || tasks < 2) return this.#beginAnew(undefined);
    this.#since ??= now;
    const tookMs = now.elapsedMs - this.#since.elapsedMs;
    if (++this.#batches <= BATCHES || tookMs < LEAST_MS) return undefined;
    if (now.cpuMs - this.#since.cpuMs < BUSY * tookMs) return this.#beginAnew(now);
    this.#isGiven = true;
    const threads = Math.min(tasks, this.#cores);
    return `one thread is busy all the time, and there are ${this.#cores} cores: try --threads ${threads}`;
  }

  #beginAnew(now: Usage | undefined): undefined {
    this.#since = now;
    this.#batches = 0;
  }
}
