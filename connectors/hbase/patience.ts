// How long one piece of work goes on looking for regions that are elsewhere by now. A region that moves is open again
// in a second or two; a server that died takes longer, and is for the scheduler to wait for.
import { setTimeout as delay } from "node:timers/promises";
import { type Failed, failureOf, isElsewhere } from "./rpc-errors.ts";

const LOOK_AGAIN_WITHIN_MS = 5_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/** One piece of work's; its time begins when it is made. */
export class Patience {
  readonly #work: Failed;
  readonly #signal: AbortSignal;
  readonly #untilMs = performance.now() + LOOK_AGAIN_WITHIN_MS;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(work: Failed, signal: AbortSignal) {
    this.#work = work;
    this.#signal = signal;
  }

  /** Waits if trying again may help. @throws what the failure means, if it may not or it has been too long */
  async wait(error: unknown): Promise<void> {
    const signal = this.#signal;
    signal.throwIfAborted();
    const isOver = performance.now() + this.#pauseMs > this.#untilMs;
    if (isOver || !isElsewhere(error)) throw failureOf(error, this.#work);
    await delay(this.#pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
