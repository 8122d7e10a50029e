// How fast offsets are being done now: over the last two seconds, so that it follows changes and yet does not flicker.
import { systemClock } from "../clock.ts";
import { formatRate } from "./format.ts";

const RATE_OVER_MS = 2_000;

/** Measures a count that only grows. */
export class OffsetRate {
  #samples: { atMs: number; offsets: number }[] = [];

  /** Notes that so many offsets were done by now. */
  note(offsets: bigint): void {
    const atMs = systemClock.elapsed();
    this.#samples.push({ atMs, offsets: Number(offsets) });
    // The oldest one kept is the newest that is old enough to measure from.
    while (this.#samples.length > 2 && atMs - (this.#samples[1]?.atMs ?? atMs) >= RATE_OVER_MS) this.#samples.shift();
  }

  /** `412,000/s`; undefined while there is nothing to measure. */
  now(offsets: bigint): string | undefined {
    const [from] = this.#samples;
    return from && formatRate(Number(offsets) - from.offsets, systemClock.elapsed() - from.atMs);
  }
}
