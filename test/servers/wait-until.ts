// Waits for a condition with a deadline: the only way in which anything here waits.
import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  /** What is waited for, for the error. */
  readonly what: string;
  readonly withinMs: number;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
}

/**
 * Asks `isSo` every `everyMs` (default 25) until it says yes.
 * @throws Error it did not within `withinMs`
 */
export async function waitUntil(isSo: () => boolean | Promise<boolean>, options: WaitOptions): Promise<void> {
  if (await becomesSo(isSo, options)) return;
  throw new Error(`${options.what}: not within ${options.withinMs / 1000} s`);
}

/** Like waitUntil, but answers whether it became so. */
export async function becomesSo(
  isSo: () => boolean | Promise<boolean>,
  { withinMs, signal, everyMs = 25 }: Omit<WaitOptions, "what">,
): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() >= deadlineMs) return false;
    await sleep(everyMs, undefined, { signal });
  }
  return true;
}
