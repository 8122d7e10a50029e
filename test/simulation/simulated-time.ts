// Virtual time: a queue of things to happen. One happens at a time, and everything that follows from it without
// waiting is over before the next, so that the order of things is the seed's and nobody else's.

interface Scheduled {
  readonly atMs: number;
  /** Breaks ties: what was scheduled first happens first. */
  readonly order: number;
  readonly happen: () => void;
  isCancelled: boolean;
}

/** The clock on the wall of a simulated world, in milliseconds from its beginning. */
export class SimulatedTime {
  nowMs = 0;
  #order = 0;
  readonly #heap: Scheduled[] = [];

  /** Lets something happen after `ms`, unless it is cancelled first. */
  after(ms: number, happen: () => void): { cancel(): void } {
    const scheduled: Scheduled = { atMs: this.nowMs + ms, order: this.#order++, happen, isCancelled: false };
    this.#push(scheduled);
    return {
      cancel: () => {
        scheduled.isCancelled = true;
      },
    };
  }

  /** Lets things happen until `isDone`, for at most `withinMs`. Resolves to whether it is done. */
  async runUntil(isDone: () => boolean, withinMs: number): Promise<boolean> {
    const deadlineMs = this.nowMs + withinMs;
    await allThatFollows();
    while (!isDone()) {
      const next = this.#pop();
      if (next === undefined || next.atMs > deadlineMs) {
        if (next !== undefined) this.#push(next);
        this.nowMs = deadlineMs;
        return false;
      }
      this.nowMs = next.atMs;
      next.happen();
      await allThatFollows();
    }
    return true;
  }

  #push(scheduled: Scheduled): void {
    const heap = this.#heap;
    let index = heap.push(scheduled) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfEarlier(index, parent)) return;
      index = parent;
    }
  }

  /** The next thing that was not cancelled. */
  #pop(): Scheduled | undefined {
    for (;;) {
      const [first] = this.#heap;
      const last = this.#heap.pop();
      if (first === undefined || last === undefined) return undefined;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink();
      }
      if (!first.isCancelled) return first;
    }
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= this.#heap.length) return;
      const child = left + 1 < this.#heap.length && this.#isEarlier(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfEarlier(child, index)) return;
      index = child;
    }
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const [a, b] = [this.#heap[child], this.#heap[parent]];
    if (a === undefined || b === undefined || !this.#isEarlier(child, parent)) return false;
    this.#heap[child] = b;
    this.#heap[parent] = a;
    return true;
  }

  #isEarlier(index: number, than: number): boolean {
    const [a, b] = [this.#heap[index], this.#heap[than]];
    if (a === undefined || b === undefined) return false;
    return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
  }
}

/** Node runs an immediate only when no promise has anything left to do. */
function allThatFollows(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
