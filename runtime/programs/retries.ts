// Whether a run tries again after a failure, and when: the one retry layer. Pauses grow while nothing gets on, and the
// run gives up when that has lasted for the job's `storeTimeoutMs`. Both begin anew when something has got on: a batch
// that had never been done before is done; or, when no batch was running as it failed, the job waits for data again and
// the log has answered. So a batch that always fails ends the run, however well the servers answer in between.
import type { Clock } from "../clock.ts";
import type { RunMemory } from "../engine/look.ts";
import { messageOf, TidemarkError, TransientError } from "../errors.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

interface Failing {
  readonly sinceMs: number;
  readonly furthest: number;
  attempt: number;
  /** Whether a batch was running at one of the failures. */
  inBatch: boolean;
}

export interface NextAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly delayMs: number;
}

/** The failures of one run. */
export class Retries {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #failing: Failing | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** When to try again after this failure. @throws TransientError nothing has got on for too long */
  after(error: unknown, memory: RunMemory): NextAttempt {
    const nowMs = this.#clock.elapsed();
    const last = this.#failing;
    const hasGotOn = last && (memory.furthest > last.furthest || (memory.hasIdled && !last.inBatch));
    const failing =
      last === undefined || hasGotOn ? { sinceMs: nowMs, furthest: memory.furthest, attempt: 0, inBatch: false } : last;
    this.#failing = failing;
    failing.inBatch ||= memory.isInBatch;
    memory.isInBatch = false;
    memory.hasIdled = false;
    if (nowMs - failing.sinceMs > this.#timeoutMs) throw gaveUp(error, nowMs - failing.sinceMs);
    failing.attempt++;
    return { attempt: failing.attempt, delayMs: pauseMs(failing.attempt, this.#clock.random()) };
  }
}

/** Exponential, with its upper half left to chance. */
function pauseMs(attempt: number, chance: number): number {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  return Math.round(most / 2 + chance * (most / 2));
}

function gaveUp(error: unknown, afterMs: number): TransientError {
  const given = error instanceof TidemarkError && error.hint !== undefined ? `${error.hint}; ` : "";
  return new TransientError(`${messageOf(error)} (gave up after ${Math.round(afterMs / 1_000)} s of trying again)`, {
    ...(error instanceof TransientError && { code: error.code }),
    hint: `${given}start the job again when the server is back: it goes on where it stood. storeTimeoutMs waits longer`,
    cause: error,
  });
}
