// Runs the user's `combine` over the rows of all tasks of one batch, in partition order.
import type { NormalizedJob } from "../contract/job.ts";
import type { Batch } from "../contract/sink.ts";
import { messageOf, PipelineError, TidemarkError } from "../errors.ts";
import { raceAbort } from "./deadline.ts";
import { RecordStream } from "./record-stream.ts";

/** One batch's combining: give it rows, then complete it. */
export class Combining {
  readonly #stream = new RecordStream<unknown>();
  readonly #done: Promise<void>;
  #failure: { error: unknown } | undefined;
  #unsubscribe = () => {};

  /** @param output takes one combined row, synchronously */
  constructor(combine: NonNullable<NormalizedJob["combine"]>, batch: Batch, output: (row: unknown) => void) {
    this.#done = new Promise((resolve) => {
      const fail = (error: unknown) => {
        this.#failure ??= { error };
        resolve();
      };
      try {
        const subscription = combine(this.#stream.records$, batch).subscribe({
          next: (row) => {
            try {
              output(row);
            } catch (error) {
              fail(error);
            }
          },
          error: fail,
          complete: resolve,
        });
        this.#unsubscribe = () => subscription.unsubscribe();
      } catch (error) {
        fail(error);
      }
    });
  }

  /** @throws PipelineError combine has failed, perhaps on an earlier row */
  add(row: unknown): void {
    this.#stream.next(row);
    this.#throwFailure();
  }

  /** There are no more rows: waits until combine has completed. @throws PipelineError */
  async complete(signal: AbortSignal): Promise<void> {
    this.#stream.complete();
    await raceAbort(this.#done, signal);
    this.#throwFailure();
  }

  stop(): void {
    this.#unsubscribe();
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    if (error instanceof TidemarkError) throw error;
    throw new PipelineError(`combine failed: ${messageOf(error)}`, { cause: error, code: "COMBINE" });
  }
}
