// The command's exit codes, and which of several counts.
import { ConfigError, FencedError } from "../errors.ts";

export const DONE = 0;
export const FAILED = 1;
/** Usage or configuration. */
export const WRONG_USE = 2;
/** A newer run of the job took over. */
const FENCED = 3;

/** The codes of being stopped by a signal: 128 + its number. */
export const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** From the one that matters least. */
const BY_WEIGHT: readonly number[] = [DONE, SIGNAL_CODES.SIGINT, SIGNAL_CODES.SIGTERM, FENCED, WRONG_USE, FAILED];

/** The exit code of what was thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return WRONG_USE;
  return error instanceof FencedError ? FENCED : FAILED;
}

/** The worst of several: a failure counts more than being stopped, which counts more than being done. */
export function worstOf(codes: readonly number[]): number {
  return codes.reduce((worst, code) => (BY_WEIGHT.indexOf(code) > BY_WEIGHT.indexOf(worst) ? code : worst), DONE);
}
