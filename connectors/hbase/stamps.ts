// The timestamps of one writer's cells: the clock's, but each later than the one before and than all that it found
// where it writes. So a clock that is behind or set back hides nothing that is written, and a cell that somebody has
// deleted does not hide what is written after it.

/** Gives timestamps in ms, each greater than the last. */
export class Stamps {
  #lastMs: number;

  /** @param lastMs all that are given are greater */
  constructor(lastMs: number) {
    this.#lastMs = lastMs;
  }

  next(): number {
    this.#lastMs = Math.max(this.#lastMs + 1, Date.now());
    return this.#lastMs;
  }

  /** What was found: all that follow are greater. */
  passed(stampMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, stampMs);
  }
}
