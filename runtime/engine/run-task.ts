// Runs the pipeline over one range: feeds records in offset order, gives rows on as they come, and ends when the
// pipeline has completed. It knows nothing of batches, sinks or checkpoints. A failure says at which record it
// happened.
import type { Observable } from "rxjs";
import type { NormalizedJob, Task } from "../contract/job.ts";
import { formatRange, type OffsetRange } from "../contract/positions.ts";
import type { SourceRecord } from "../contract/record.ts";
import type { SourceReader } from "../contract/source.ts";
import { messageOf, PipelineError, TidemarkError } from "../errors.ts";
import { raceAbort } from "./deadline.ts";
import { feedingThrough, Gate } from "./gate.ts";
import { RecordStream } from "./record-stream.ts";

export interface TaskInput {
  readonly job: NormalizedJob;
  readonly reader: Pick<SourceReader, "read">;
  readonly batchId: number;
  /** The planned range, as the pipeline is told. */
  readonly range: OffsetRange;
  /** The parts of it that are there to be read, in order. */
  readonly parts: readonly OffsetRange[];
  readonly skip: ReadonlySet<bigint>;
  readonly signal: AbortSignal;
}

export interface TaskOutput {
  /**
   * Takes one row, and what tells the offset of the record that was fed last, synchronously. Throwing counts as the
   * pipeline's failure at the record being fed.
   */
  readonly row: (row: unknown, offset: () => bigint) => void;
  /**
   * Called between chunks of records, and at the end: the place to write what has been collected. `offset`: next to
   * read.
   */
  readonly flush: (offset: bigint) => Promise<void>;
}

export interface TaskCounts {
  readonly records: number;
  readonly tombstones: number;
}

/**
 * Runs one task to its end.
 * @throws PipelineError the pipeline threw or did not complete; PoisonRecordError, DataLossError, TransientError from
 * the source
 */
export async function runTask(input: TaskInput, output: TaskOutput): Promise<TaskCounts> {
  const { job, reader, range, parts, skip, signal } = input;
  const feed = new Feed(job, input, output, signal);
  let records = 0;
  let tombstones = 0;
  try {
    for (const part of parts) {
      for await (const chunk of reader.read(part, { signal, skip })) {
        signal.throwIfAborted();
        records += chunk.records.length;
        tombstones += chunk.tombstones;
        await feed.push(chunk.records as readonly SourceRecord[]);
        await output.flush(feed.lastOffset + 1n);
        if (feed.isOver) break;
      }
      if (feed.isOver) break;
    }
    await feed.complete();
    await output.flush(range.untilOffset);
    return { records, tombstones };
  } finally {
    feed.stop();
  }
}

/** The pipeline of one task, fed record by record. */
class Feed {
  readonly #stream = new RecordStream<unknown>();
  readonly #gate = new Gate();
  readonly #done: Promise<void>;
  readonly #range: OffsetRange;
  readonly #signal: AbortSignal;
  #failure: { error: unknown } | undefined;
  #unsubscribe = () => {};
  isOver = false;
  /** The record that was fed last; its offset is a bigint only for those who ask. */
  #last: SourceRecord | undefined;

  constructor(job: NormalizedJob, input: TaskInput, output: TaskOutput, signal: AbortSignal) {
    this.#range = input.range;
    this.#signal = signal;
    const offset = () => this.lastOffset;
    const task: Task = { ...input.range, batchId: input.batchId, signal };
    this.#done = new Promise((resolve) => {
      const end = () => {
        this.isOver = true;
        this.#gate.release();
        resolve();
      };
      const fail = (error: unknown) => {
        this.#failure ??= { error };
        end();
      };
      feedingThrough(this.#gate, () => {
        const rows$ = this.#pipelineOf(job, task);
        if (rows$ === undefined) return end();
        const subscription = rows$.subscribe({
          next: (row) => {
            try {
              output.row(row, offset);
            } catch (error) {
              fail(error);
              this.#unsubscribe();
            }
          },
          error: fail,
          complete: end,
        });
        this.#unsubscribe = () => subscription.unsubscribe();
        if (this.#failure !== undefined) subscription.unsubscribe();
      });
    });
  }

  /** Of the record that was fed last; before the first, the one before the range. */
  get lastOffset(): bigint {
    return this.#last?.offset ?? this.#range.fromOffset - 1n;
  }

  #pipelineOf(job: NormalizedJob, task: Task): Observable<unknown> | undefined {
    try {
      const rows$ = job.pipeline(this.#stream.records$, task);
      if (typeof rows$?.subscribe === "function") return rows$;
      throw new PipelineError("the pipeline did not return an Observable", {
        hint: "pipeline: (records$) => records$.pipe(…): is there a return?",
      });
    } catch (error) {
      this.#failure = { error };
      return undefined;
    }
  }

  /** Feeds records until all are taken or the pipeline is over; waits while an operator holds the gate closed. */
  async push(records: readonly SourceRecord[]): Promise<void> {
    let next = 0;
    while (next < records.length && !this.isOver) {
      next = feedingThrough(this.#gate, () => this.#feedFrom(records, next));
      if (this.#gate.isClosed && !this.isOver) await raceAbort(this.#gate.opened(), this.#signal);
    }
    this.#throwFailure();
  }

  #feedFrom(records: readonly SourceRecord[], from: number): number {
    let next = from;
    while (next < records.length) {
      const record = records[next++];
      if (record === undefined) continue;
      this.#last = record;
      this.#stream.next(record);
      if (this.isOver || this.#gate.isClosed) return next;
    }
    return next;
  }

  /** There are no more records: waits for the pipeline to complete. */
  async complete(): Promise<void> {
    feedingThrough(this.#gate, () => this.#stream.complete());
    await raceAbort(this.#done, this.#signal);
    this.#throwFailure();
  }

  stop(): void {
    this.#unsubscribe();
    this.#gate.release();
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    if (error instanceof TidemarkError) throw error;
    const { topic, partition } = this.#range;
    const at =
      this.lastOffset < this.#range.fromOffset ? formatRange(this.#range) : `${topic}:${partition}:${this.lastOffset}`;
    throw new PipelineError(`the pipeline failed at ${at}: ${messageOf(error)}`, {
      cause: error,
      hint: 'mend the pipeline and start again, or set onPoisonRecord: "skip" or deadLetter(sink)',
    });
  }
}
