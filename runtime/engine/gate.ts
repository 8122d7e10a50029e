// Back-pressure inside a task: an operator that has enough closes the gate, and the task feeds no further record
// until it opens. RxJS has no back-pressure of its own; this is the one thread by which mapAsync can hold the source
// back. An operator finds the gate of the task that is feeding it, because feeding and subscribing are synchronous.

/** One task's gate. */
export class Gate {
  #closedBy = 0;
  #wake: (() => void) | undefined;

  get isClosed(): boolean {
    return this.#closedBy > 0;
  }

  close(): void {
    this.#closedBy++;
  }

  /** Undoes one `close`. */
  open(): void {
    this.#closedBy--;
    if (this.#closedBy === 0) this.#wake?.();
  }

  /** Resolves when nothing holds the gate closed. */
  opened(): Promise<void> {
    if (!this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Wakes whoever waits, whatever is still closed: the task is over. */
  release(): void {
    this.#wake?.();
  }
}

let current: Gate | undefined;

/** The gate of the task that is feeding now; undefined outside of tasks. */
export function currentGate(): Gate | undefined {
  return current;
}

/** Runs synchronous `work` as part of a task. */
export function feedingThrough<T>(gate: Gate, work: () => T): T {
  const before = current;
  current = gate;
  try {
    return work();
  } finally {
    current = before;
  }
}
