// Brings the rows of tasks that run side by side to the sink, one message at a time: task after task, where the order
// counts, else as they come. How much waits here is bounded by the credit that threads are given, not by this.
import type { OffsetRange } from "../../contract/positions.ts";
import { raceAbort } from "../deadline.ts";
import type { RowOrigin } from "../task-engine.ts";
import type { SentRows } from "./messages.ts";

/** A message that waits for its turn. */
export interface WaitingRows {
  readonly task: number;
  readonly sent: SentRows;
  /** Called when it is written. */
  readonly written: () => void;
}

/** The rows of one attempt at a batch. Tasks go by their place in the batch, from 0. */
export class RowsInTurn {
  readonly #waiting: WaitingRows[][];
  readonly #isOver: boolean[];
  readonly #inAnyOrder: boolean;
  /** Tasks below it are over and written; it is the one whose turn it is. */
  #turn = 0;
  #wake: (() => void) | undefined;

  constructor(taskCount: number, { inAnyOrder }: { readonly inAnyOrder: boolean }) {
    // In any order, everything goes through one queue.
    this.#waiting = Array.from({ length: inAnyOrder ? 1 : taskCount }, () => []);
    this.#isOver = new Array(taskCount).fill(false);
    this.#inAnyOrder = inAnyOrder;
  }

  add(rows: WaitingRows): void {
    this.#waiting[this.#inAnyOrder ? 0 : rows.task]?.push(rows);
    this.#wake?.();
  }

  /** The task gives no more rows. */
  end(task: number): void {
    this.#isOver[task] = true;
    this.#wake?.();
  }

  /** Writes everything, until all tasks are over. Rejects as `write` does, or when `signal` is aborted. */
  async writeAll(write: (rows: WaitingRows) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = this.#next();
      if (next === "end") return;
      if (next === undefined) {
        const changed = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        await raceAbort(changed, signal);
        continue;
      }
      await write(next);
      next.written();
      signal.throwIfAborted();
    }
  }

  #next(): WaitingRows | "end" | undefined {
    if (this.#inAnyOrder) return this.#waiting[0]?.shift() ?? (this.#isOver.every(Boolean) ? "end" : undefined);
    for (;;) {
      const next = this.#waiting[this.#turn]?.shift();
      if (next !== undefined) return next;
      if (this.#isOver[this.#turn] !== true) return this.#turn < this.#isOver.length ? undefined : "end";
      this.#turn++;
    }
  }
}

/** Which task's rows were written in which order, so that a row that the sink refuses can be found. */
export class RowOrigins {
  readonly #written: { readonly range: OffsetRange; readonly rowsBefore: number; rowCount: number }[] = [];
  readonly #ofTask = new Map<OffsetRange, number>();

  add(range: OffsetRange, rowCount: number): void {
    const rowsBefore = this.#ofTask.get(range) ?? 0;
    this.#ofTask.set(range, rowsBefore + rowCount);
    const last = this.#written.at(-1);
    if (last?.range === range) last.rowCount += rowCount;
    else this.#written.push({ range, rowsBefore, rowCount });
  }

  /** @param rowNumber in the order of writing, from 1 */
  originOf(rowNumber: number): RowOrigin | undefined {
    let left = rowNumber;
    for (const { range, rowsBefore, rowCount } of this.#written) {
      if (left <= rowCount) return { range, rowNumber: rowsBefore + left };
      left -= rowCount;
    }
    return undefined;
  }
}
