// Shows a job's positions through its source (Kafka: in the consumer group that people look at), behind the batches:
// one call at a time, only the newest positions, never waited for but for a moment at the end. Nothing depends on it.
import type { Clock } from "../clock.ts";
import type { Position } from "../contract/positions.ts";
import type { SourceReader } from "../contract/source.ts";
import { messageOf } from "../errors.ts";
import { raceAbort } from "./deadline.ts";

/** The last positions have so long to be shown when the term ends. */
const LAST_SHOW_MS = 2_000;
/** People look no oftener; a request with each of hundreds of batches a second would cost more than it shows. */
const SHOW_EVERY_MS = 100;

export interface ShowingInput {
  readonly reader: SourceReader;
  readonly lineageId: string;
  readonly clock: Clock;
  readonly onWarning: (message: string) => void;
}

/** Shows one term's positions. Disposing it shows the newest and ends. */
export class Showing implements AsyncDisposable {
  readonly #input: ShowingInput;
  readonly #stop = new AbortController();
  /** Ends the pause between two showings, not the showing. */
  readonly #closing = new AbortController();
  #next: readonly Position[] | undefined;
  #working: Promise<void> | undefined;

  constructor(input: ShowingInput) {
    this.#input = input;
  }

  /** A batch has completed at these positions, of all partitions. */
  show(positions: readonly Position[]): void {
    if (this.#input.reader.completed === undefined) return;
    this.#next = positions;
    this.#working ??= this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#working === undefined) return;
    this.#closing.abort(new Error("the term ends"));
    const timer = this.#input.clock.timer(LAST_SHOW_MS, () => this.#stop.abort(new Error("it took too long")));
    try {
      await this.#working;
    } finally {
      timer.cancel();
    }
  }

  async #work(): Promise<void> {
    const { reader, lineageId, clock, onWarning } = this.#input;
    const { signal } = this.#stop;
    while (this.#next !== undefined && !signal.aborted) {
      const positions = this.#next;
      this.#next = undefined;
      try {
        await raceAbort(Promise.resolve(reader.completed?.(positions, { lineageId }, signal)), signal);
      } catch (error) {
        onWarning(`the job's positions could not be shown: ${messageOf(error)}`);
      }
      await clock.sleep(SHOW_EVERY_MS, this.#closing.signal).catch(() => undefined);
    }
    // At once, so that whoever shows next finds nobody working.
    this.#working = undefined;
  }
}
