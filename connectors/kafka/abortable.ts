// Waiting that ends when it is told to. What is waited for goes on, and its end is ignored.
import { setTimeout } from "node:timers/promises";

/** The promise's outcome, or the signal's reason if that comes first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Waits for a time. @throws the signal's reason */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await setTimeout(durationMs, undefined, { signal }).catch(() => signal.throwIfAborted());
}
