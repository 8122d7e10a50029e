// One line for each completed batch, where nothing shows a live line; several batches in one line when they come
// faster than a person reads. What was held back is said after a moment, or before anything else is.
import { systemClock } from "../clock.ts";
import type { BatchCounts } from "../journal/entry.ts";
import { counted, formatCount, formatDuration } from "./format.ts";

/** At most so often a line. */
const LINE_EVERY_MS = 200;

export interface CompletedBatch {
  readonly batchId: number;
  readonly counts: BatchCounts;
  /** undefined: not known. */
  readonly lag: bigint | undefined;
}

type Say = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Collects completed batches and says them. */
export class BatchLines {
  readonly #say: Say;
  #unsaid: CompletedBatch[] = [];
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #timer: { cancel(): void } | undefined;

  constructor(say: Say) {
    this.#say = say;
  }

  add(batch: CompletedBatch): void {
    this.#unsaid.push(batch);
    const waitMs = this.#saidAtMs + LINE_EVERY_MS - systemClock.elapsed();
    if (waitMs <= 0) this.flush();
    else this.#timer ??= systemClock.timer(waitMs, () => this.flush());
  }

  /** Says what was held back. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const batches = this.#unsaid;
    const [first] = batches;
    const last = batches.at(-1);
    if (first === undefined || last === undefined) return;
    this.#unsaid = [];
    this.#saidAtMs = systemClock.elapsed();
    const sum = (count: (counts: BatchCounts) => number) => batches.reduce((all, { counts }) => all + count(counts), 0);
    const records = sum((counts) => counts.records ?? 0);
    const rows = sum((counts) => counts.rows ?? 0);
    const durationMs = sum((counts) => counts.durationMs);
    const which = first === last ? `batch ${last.batchId}` : `batches ${first.batchId} to ${last.batchId}`;
    const did = `${counted(records, "record")}, ${counted(rows, "row")} in ${formatDuration(durationMs)}`;
    const fields = { batchId: last.batchId, batches: batches.length, records, rows, durationMs, lag: last.lag };
    const lag = last.lag === undefined ? "" : `, lag ${formatCount(last.lag)}`;
    this.#say(`${which} complete: ${did}${lag}`, fields);
  }
}
