// Runs a batch's tasks on threads of the job's own: each loads the job's file, reads its ranges, runs the pipeline and
// encodes, and this thread only writes. Threads are started when there is a task for them, and serve all batches and
// terms of a run. The first failure ends the attempt: the other threads let go of what they do, or are ended.
import type { Clock } from "../../clock.ts";
import type { BatchRows, BatchTasks, RowOrigin, TaskEngine, TasksDone, TaskWork } from "../task-engine.ts";
import { JobThread } from "./job-thread.ts";
import type { JobThreadStart, TaskOrder } from "./messages.ts";
import { RowOrigins, RowsInTurn, type WaitingRows } from "./rows-in-turn.ts";
import { splitTasks, TaskShares } from "./share-tasks.ts";

/** Rows that threads may have under way together, not yet written. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export interface ThreadedTasksOptions {
  /** 2 or more. */
  readonly threads: number;
  readonly start: JobThreadStart;
  readonly program: URL;
  readonly clock: Clock;
  readonly onWarning: (message: string) => void;
}

/** A run's threads. */
export class ThreadedTasks implements TaskEngine {
  readonly readsItself = true;
  readonly #options: ThreadedTasksOptions;
  readonly #threads: (JobThread | undefined)[];
  readonly #lastOf = new Map<string, number>();
  #lastId = 0;
  /** The main thread's in this term. */
  #reader: BatchTasks["reader"] | undefined;
  #term = 0;
  #origins = new RowOrigins();
  /** The threads of an attempt that was given up let go of it. */
  #lettingGo: Promise<unknown> = Promise.resolve();

  constructor(options: ThreadedTasksOptions) {
    this.#options = options;
    this.#threads = new Array(options.threads).fill(undefined);
  }

  async run(batch: BatchTasks, rows: BatchRows): Promise<TasksDone> {
    await this.#lettingGo;
    batch.signal.throwIfAborted();
    this.#origins = new RowOrigins();
    if (batch.reader !== this.#reader) this.#term++;
    this.#reader = batch.reader;
    const { threads } = this.#options;
    const attempt = new AttemptOnThreads(batch, rows, { threads, origins: this.#origins, term: this.#term });
    const shares = new TaskShares(attempt.tasks, threads, this.#lastOf);
    // Each thread's own first, or one that has none would take what another is about to begin.
    const lanes = this.#threads.map((_, thread) => ({ thread, first: shares.ownOf(thread) }));
    try {
      return await attempt.run(
        lanes.map(
          ({ thread, first }) =>
            () =>
              this.#lane(thread, first, shares, attempt),
        ),
      );
    } catch (error) {
      this.#lettingGo = Promise.all(this.#threads.map((thread) => thread?.letGo(error)));
      // The sink throws the attempt away now, and may begin the next one: it must not be in the middle of a write.
      await attempt.nothingUnderWay();
      throw error;
    }
  }

  originOf(rowNumber: number): RowOrigin | undefined {
    return this.#origins.originOf(rowNumber);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lettingGo;
    await Promise.all(this.#threads.map((thread) => thread?.close()));
  }

  /** One thread's part of an attempt. */
  async #lane(place: number, first: number | undefined, shares: TaskShares, attempt: AttemptOnThreads): Promise<void> {
    for (let index = first ?? shares.nextOf(place); index !== undefined; index = shares.nextOf(place)) {
      await attempt.runTask(index, ++this.#lastId, this.#threadAt(place));
      attempt.signal.throwIfAborted();
    }
  }

  #threadAt(place: number): JobThread {
    const known = this.#threads[place];
    if (known?.isUsable) return known;
    const thread = new JobThread(this.#options);
    this.#threads[place] = thread;
    return thread;
  }
}

interface AttemptOptions {
  readonly threads: number;
  readonly origins: RowOrigins;
  readonly term: number;
}

/** One attempt at a batch. */
class AttemptOnThreads {
  readonly tasks: readonly TaskWork[];
  readonly #batch: BatchTasks;
  readonly #rows: BatchRows;
  readonly #origins: RowOrigins;
  readonly #term: number;
  readonly #turns: RowsInTurn;
  readonly #creditBytes: number;
  /** For each task the offset up to which its progress was told. */
  readonly #told: bigint[];
  readonly #over = new AbortController();
  #written: Promise<void> | undefined;
  #records = 0;
  #tombstones = 0;

  constructor(batch: BatchTasks, rows: BatchRows, { threads, origins, term }: AttemptOptions) {
    const { job } = batch;
    this.#batch = batch;
    this.#rows = rows;
    this.#origins = origins;
    this.#term = term;
    this.tasks = job.ordered ? batch.tasks : splitTasks(batch.tasks, threads);
    this.#told = this.tasks.map(({ range }) => range.fromOffset);
    const sinkMinds = job.combine !== undefined || job.sink.tasksInAnyOrder !== true;
    this.#turns = new RowsInTurn(this.tasks.length, { inAnyOrder: !(job.ordered && sinkMinds) });
    this.#creditBytes = Math.floor(MAX_WAITING_BYTES / threads);
  }

  /** Aborted when nothing more may be begun or written. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Runs all lanes and writes what comes of them. Rejects at once with the first failure. */
  async run(lanes: readonly (() => Promise<void>)[]): Promise<TasksDone> {
    const { signal } = this.#batch;
    const stop = () => this.#over.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      const aborted = new Promise<never>((_, reject) => {
        this.signal.addEventListener("abort", () => reject(this.signal.reason), { once: true });
      });
      this.#written = this.#turns.writeAll((rows) => this.#write(rows), this.signal);
      await Promise.race([Promise.all([...lanes.map((lane) => lane()), this.#written]), aborted]);
      return { records: this.#records, tombstones: this.#tombstones };
    } catch (error) {
      this.#over.abort(error);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Resolves when nothing is being written any more. */
  async nothingUnderWay(): Promise<void> {
    await this.#written?.catch(() => {});
  }

  async runTask(index: number, id: number, thread: JobThread): Promise<void> {
    const task = this.tasks[index];
    if (task === undefined) return;
    const order = this.#orderOf(task, id);
    const done = await thread.run(order, {
      rows: (sent, offset) => {
        const written = () => {
          thread.credit(id, sent.sizeBytes);
          this.#progress(index, offset);
        };
        this.#turns.add({ task: index, sent, written });
      },
      progress: (offset) => this.#progress(index, offset),
    });
    this.#records += done.records;
    this.#tombstones += done.tombstones;
    this.#turns.end(index);
    this.#progress(index, task.range.untilOffset);
  }

  #orderOf({ range, end, parts, skip }: TaskWork, id: number): TaskOrder {
    const { batchId } = this.#batch;
    const mine = [...skip].filter((offset) => offset >= range.fromOffset && offset < range.untilOffset);
    return { id, batchId, term: this.#term, range, end, parts, skip: mine, creditBytes: this.#creditBytes };
  }

  async #write({ task, sent }: WaitingRows): Promise<void> {
    const { combine } = this.#rows;
    const range = this.tasks[task]?.range;
    for (const encoded of sent.encoded) {
      if (combine === undefined) {
        // Counted first: a sink may refuse one of them while it takes them.
        if (range !== undefined) this.#origins.add(range, encoded.rowCount);
        await this.#rows.write(encoded);
        this.signal.throwIfAborted();
      } else {
        for (const row of encoded.data as readonly unknown[]) combine.add(row);
      }
    }
    await combine?.flush();
  }

  #progress(index: number, offset: bigint | undefined): void {
    if (this.signal.aborted) return;
    const before = this.#told[index] ?? 0n;
    const now = offset !== undefined && offset > before ? offset : before;
    this.#told[index] = now;
    this.#rows.progressed(now - before);
  }
}
