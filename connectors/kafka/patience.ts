// How long to go on when a broker cannot answer: leaders move and brokers restart in seconds, and a read need not begin
// again for that. Bounded: after that it is the scheduler's to try again.
import { TransientError } from "../../runtime/index.ts";
import { pause } from "./abortable.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Waits between attempts, each time longer, until it has been too long since the last success. */
export class Patience {
  private readonly limitMs: number;
  private pauseMs = FIRST_PAUSE_MS;
  private since: number | undefined;

  /** @param limitMs from the first failure after a success to giving up */
  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** Something worked: the next failure is a first one. */
  succeeded(): void {
    this.since = undefined;
    this.pauseMs = FIRST_PAUSE_MS;
  }

  /**
   * Waits before the next attempt.
   * @throws failure when patience is over; the signal's reason
   */
  async wait(failure: Error, signal: AbortSignal): Promise<void> {
    this.since ??= performance.now();
    if (performance.now() - this.since + this.pauseMs > this.limitMs) throw failure;
    // Spread, so that the partitions of a broker that is back do not all come at once.
    await pause(this.pauseMs * (0.5 + Math.random() / 2), signal);
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/**
 * What an attempt gives, which is repeated while it cannot be done now.
 * @param limitMs from the first failure to giving up
 * @throws the attempt's error; the signal's reason
 */
export async function patiently<T>(limitMs: number, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const patience = new Patience(limitMs);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      await patience.wait(error, signal);
    }
  }
}
