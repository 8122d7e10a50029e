// Bounds every phase of a batch: what is stuck becomes an error that names the phase, not a hang. A phase that makes
// progress is not stuck, however long it takes. A promise that ignores its signal is left behind; its result is not
// looked at any more.
import type { Clock } from "../clock.ts";
import { PipelineError, TransientError } from "../errors.ts";

export type Phase = "open" | "plan" | "begin" | "read and process" | "commit" | "record";

export interface DeadlineOptions {
  readonly phase: Phase;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Aborts the phase from outside; its reason becomes the rejection. */
  readonly signal: AbortSignal;
}

/**
 * Runs `work` with a signal that is aborted at the deadline or with the outer signal, and settles then at the latest.
 * The deadline is `timeoutMs` after the start, or after the last call of `progressed`.
 * @throws TransientError | PipelineError past the deadline (code "PHASE_TIMEOUT")
 */
export function withDeadline<T>(
  { phase, ...options }: DeadlineOptions,
  work: (signal: AbortSignal, progressed: () => void) => Promise<T>,
): Promise<T> {
  return bounded({ ...options, expired: () => timedOut(phase, options.timeoutMs) }, work);
}

export interface BoundedOptions extends Omit<DeadlineOptions, "phase"> {
  /** The error past the deadline. */
  readonly expired: () => Error;
}

/** As `withDeadline`, for anything that is not a phase. */
export async function bounded<T>(
  { timeoutMs, clock, signal, expired }: BoundedOptions,
  work: (signal: AbortSignal, progressed: () => void) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const stop = () => controller.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  let progressedMs = clock.elapsed();
  const expire = () => {
    const leftMs = progressedMs + timeoutMs - clock.elapsed();
    if (leftMs > 0) timer = clock.timer(leftMs, expire);
    else controller.abort(expired());
  };
  let timer = clock.timer(timeoutMs, expire);
  const progressed = () => {
    progressedMs = clock.elapsed();
  };
  try {
    return await raceAbort(work(controller.signal, progressed), controller.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", stop);
  }
}

/** One attempt at something: its signal is aborted with the outer one, or when the attempt is given up. */
export class Attempt {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #stop = () => this.#controller.abort(this.#outer.reason);
  #isOver = false;

  constructor(outer: AbortSignal) {
    outer.throwIfAborted();
    this.#outer = outer;
    outer.addEventListener("abort", this.#stop, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** It has succeeded: its signal is not aborted any more. */
  succeed(): void {
    this.#isOver = true;
    this.#outer.removeEventListener("abort", this.#stop);
  }

  /** Aborts whatever still listens, unless the attempt has succeeded. */
  giveUp(reason: unknown): void {
    if (this.#isOver) return;
    this.succeed();
    this.#controller.abort(reason);
  }
}

/** Settles like `promise`, or rejects with the signal's reason as soon as it is aborted. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => {});
      reject(signal.reason);
      return;
    }
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

function timedOut(phase: Phase, timeoutMs: number): Error {
  const message = `the phase "${phase}" got no further for ${timeoutMs} ms`;
  const code = "PHASE_TIMEOUT";
  if (phase !== "read and process") return new TransientError(message, { code });
  return new PipelineError(message, {
    code,
    hint: "does the pipeline complete when records$ completes? If it only needs longer, raise phaseTimeoutMs",
  });
}
