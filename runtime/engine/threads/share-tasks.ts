// Which thread runs which task: the one that ran the partition last, since its reader may have read on already; and a
// thread that has nothing of its own takes the earliest of another's. Each takes its own in order, so the earliest task
// that is not done always runs or is about to: where rows are written in turn, nobody waits for ever. Pure.
import type { OffsetRange } from "../../contract/positions.ts";
import { partitionKey } from "../../contract/positions.ts";
import type { TaskWork } from "../task-engine.ts";

/** Below this, splitting costs more than it brings. */
const LEAST_OFFSETS = 10_000n;
/** So many tasks a thread even out what some take longer. */
const TASKS_PER_THREAD = 4n;

/** The tasks of one attempt, handed out. */
export class TaskShares {
  readonly #own: number[][];
  readonly #keys: readonly string[];
  readonly #lastOf: Map<string, number>;

  /** @param lastOf the thread that ran a partition last, by partitionKey; kept up to date */
  constructor(tasks: readonly TaskWork[], threads: number, lastOf: Map<string, number>) {
    this.#own = Array.from({ length: threads }, () => []);
    this.#keys = tasks.map(({ range }) => partitionKey(range));
    this.#lastOf = lastOf;
    for (const [task, key] of this.#keys.entries()) {
      const thread = lastOf.get(key) ?? this.#leastBusy();
      lastOf.set(key, thread);
      this.#own[thread]?.push(task);
    }
  }

  /** The next of the thread's own tasks. */
  ownOf(thread: number): number | undefined {
    return this.#own[thread]?.shift();
  }

  /** The next task for a thread: of its own, else the earliest that nobody has begun. */
  nextOf(thread: number): number | undefined {
    const own = this.ownOf(thread);
    if (own !== undefined) return own;
    const other = this.#own.filter((tasks) => tasks.length > 0).sort(([a = 0], [b = 0]) => a - b)[0];
    const taken = other?.shift();
    if (taken !== undefined) this.#lastOf.set(this.#keys[taken] ?? "", thread);
    return taken;
  }

  #leastBusy(): number {
    const counts = this.#own.map((tasks) => tasks.length);
    return counts.indexOf(Math.min(...counts));
  }
}

/** Splits large ranges, for jobs that say that order does not matter. */
export function splitTasks(tasks: readonly TaskWork[], threads: number): TaskWork[] {
  const total = tasks.reduce((sum, { range }) => sum + range.untilOffset - range.fromOffset, 0n);
  const fair = total / (BigInt(threads) * TASKS_PER_THREAD);
  const pieceSize = fair < LEAST_OFFSETS ? LEAST_OFFSETS : fair;
  return tasks.flatMap((task) => {
    const { range } = task;
    const size = range.untilOffset - range.fromOffset;
    const pieces = (size + pieceSize - 1n) / pieceSize;
    return Array.from({ length: Number(pieces) }, (_, piece) => {
      const fromOffset = range.fromOffset + (size * BigInt(piece)) / pieces;
      const untilOffset = range.fromOffset + (size * BigInt(piece + 1)) / pieces;
      return pieceOf(task, { ...range, fromOffset, untilOffset });
    });
  });
}

function pieceOf(task: TaskWork, range: OffsetRange): TaskWork {
  const { fromOffset, untilOffset } = range;
  const parts = task.parts
    .map((part) => ({
      ...part,
      fromOffset: part.fromOffset > fromOffset ? part.fromOffset : fromOffset,
      untilOffset: part.untilOffset < untilOffset ? part.untilOffset : untilOffset,
    }))
    .filter((part) => part.fromOffset < part.untilOffset);
  return { ...task, range, parts };
}
