// Keeps the log's history bounded: knows where completions stand in the log and forgets, in the background, what is
// older than the newest `retainBatches` of them. The newest completion, and everything behind it, always stays.
import type { CheckpointStore } from "../contract/store.ts";
import type { JobListener } from "../events.ts";
import { type Journal, readEntries } from "../journal/journal.ts";

/** Prunes so many batches at a time, not one by one. */
const PRUNE_EVERY = 64;

export interface RetentionInput {
  readonly job: { readonly name: string; readonly retainBatches: number };
  readonly store: CheckpointStore;
  readonly onEvent: JobListener;
}

/** Prunes one term's log in the background. Disposing it stops the pruning where it is. */
export class Retention implements AsyncDisposable {
  readonly #input: RetentionInput;
  readonly #journal: Journal;
  readonly #stop = new AbortController();
  /** Seqs of completions, oldest first. */
  #completions: bigint[] = [];
  #working: Promise<void>;

  constructor(input: RetentionInput, journal: Journal) {
    this.#input = input;
    this.#journal = journal;
    this.#working = this.#quietly(this.#findOlder(journal.state.head));
  }

  /** The newest entry is a completion. */
  completed(): void {
    this.#completions.push(this.#journal.state.head);
    const surplus = this.#surplus();
    if (surplus < PRUNE_EVERY) return;
    this.#completions = this.#completions.slice(surplus);
    this.#working = this.#quietly(this.#working.then(() => this.#prune()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  /** One completion more than asked for stays: it may hold the plan of the oldest batch that is kept. */
  #surplus(): number {
    return this.#completions.length - this.#input.job.retainBatches - 1;
  }

  /** Reads where completions of earlier terms stand, when there may be too many. */
  async #findOlder(head: bigint): Promise<void> {
    const { store, job } = this.#input;
    const signal = this.#stop.signal;
    const bounds = await store.bounds(job.name, signal);
    if (bounds === undefined || head - bounds.first < BigInt(job.retainBatches)) return;
    const older: bigint[] = [];
    for await (const { seq, body } of readEntries(store, job.name, bounds.first, signal)) {
      if (seq > head) break;
      if (body.kind === "complete" || body.kind === "commit") older.push(seq);
    }
    this.#completions = [...older, ...this.#completions];
    const surplus = this.#surplus();
    if (surplus <= 0) return;
    this.#completions = this.#completions.slice(surplus);
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const [oldest] = this.#completions;
    if (oldest !== undefined && !this.#stop.signal.aborted) await this.#journal.prune(oldest, this.#stop.signal);
  }

  async #quietly(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const message = `old checkpoint entries could not be removed: ${String(error)}`;
      this.#input.onEvent({ type: "warning", message });
    }
  }
}
