// The one file that reads the clock and throws dice. Everything else is given a Clock, so that a simulation can run
// hours in a second and run them again.

/** Time and chance as the runtime sees them. */
export interface Clock {
  /** Milliseconds since the Unix epoch, for people and entries; may jump. */
  now(): number;
  /** Milliseconds since some fixed moment, never going back; for measuring and deadlines. */
  elapsed(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `fire` once after `ms` unless cancelled first. Never keeps the process alive. */
  timer(ms: number, fire: () => void): { cancel(): void };
  /** From 0 (inclusive) to 1 (exclusive); for jitter, never for identities. */
  random(): number;
}

/** setTimeout takes at most this long. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const wake = () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        clearTimeout(timeout);
        reject(signal.reason);
      };
      const timeout = setTimeout(wake, Math.min(ms, LONGEST_TIMER_MS));
      signal.addEventListener("abort", giveUp, { once: true });
    });
  },
  timer(ms, fire) {
    const timeout = setTimeout(fire, Math.min(ms, LONGEST_TIMER_MS));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  random: () => Math.random(),
};

/** Resolves when everything that is ready by now has had its turn: answers that have come, timers that are due. */
export function othersFirst(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
