// The side of a job thread: runs one task at a time with its own job and its own reader, and sends the rows. After a
// failure, and in a new term, the reader is closed and opened anew, as it is on the main thread.
import type { MessagePort } from "node:worker_threads";
import type { NormalizedJob } from "../../contract/job.ts";
import { partitionKey } from "../../contract/positions.ts";
import type { SourceReader } from "../../contract/source.ts";
import { DataLossError } from "../../errors.ts";
import { runTask } from "../run-task.ts";
import type { FromThread, JobThreadStart, TaskOrder, ToThread } from "./messages.ts";
import { OutgoingRows } from "./outgoing-rows.ts";
import { fromPortable, toPortable } from "./portable-error.ts";

/** Runs the tasks that come over the port, until it is told to close. */
export class TaskServer {
  readonly #job: NormalizedJob;
  readonly #start: JobThreadStart;
  readonly #port: MessagePort;
  #reader: SourceReader | undefined;
  /** In which the reader was opened. */
  #term = 0;
  /** Partitions whose log was compared with the plan's marks since the reader was opened. */
  readonly #checked = new Set<string>();
  #running: { readonly id: number; readonly controller: AbortController; readonly rows: OutgoingRows } | undefined;

  constructor(job: NormalizedJob, start: JobThreadStart, port: MessagePort) {
    this.#job = job;
    this.#start = start;
    this.#port = port;
    port.on("message", (message: ToThread) => this.#on(message));
    this.#send({ is: "ready" });
  }

  #on(message: ToThread): void {
    switch (message.do) {
      case "run":
        void this.#run(message.task);
        break;
      case "credit":
        if (this.#running?.id === message.id) this.#running.rows.credit(message.bytes);
        break;
      case "abort":
        if (this.#running?.id === message.id) this.#running.controller.abort(fromPortable(message.reason));
        break;
      case "close":
        void this.#closeReader().finally(() => this.#send({ is: "closed" }));
    }
  }

  #send(message: FromThread, buffers: readonly ArrayBuffer[] = []): void {
    this.#port.postMessage(message, buffers);
  }

  /** Never rejects. */
  async #run(order: TaskOrder): Promise<void> {
    const { id } = order;
    const controller = new AbortController();
    const rows = new OutgoingRows(
      this.#job,
      order,
      (message, buffers) => this.#send(message, buffers),
      controller.signal,
    );
    this.#running = { id, controller, rows };
    try {
      const counts = await this.#runTask(order, rows, controller.signal);
      this.#running = undefined;
      this.#send({ is: "done", id, records: counts.records, tombstones: counts.tombstones });
    } catch (error) {
      this.#running = undefined;
      await this.#closeReader();
      this.#send({ is: "failed", id, error: toPortable(error) });
    }
  }

  async #runTask(order: TaskOrder, rows: OutgoingRows, signal: AbortSignal) {
    const { batchId, term, range, parts } = order;
    const job = this.#job;
    // The log may be another one by now, which the main thread's own new reader has noticed.
    if (term !== this.#term) await this.#closeReader();
    this.#term = term;
    this.#reader ??= await this.#open(signal);
    const reader = this.#reader;
    await this.#checkLog(reader, order, signal);
    const skip = new Set(order.skip);
    const counts = await runTask(
      { job, reader, batchId, range, parts, skip, signal },
      { row: (row, offset) => rows.add(row, offset), flush: (offset) => rows.flush(offset) },
    );
    await rows.end();
    return counts;
  }

  async #open(signal: AbortSignal): Promise<SourceReader> {
    const { jobName, baseDir } = this.#start;
    let isOpen = false;
    // What it says while it is opened, the main thread's own reader has said.
    const warn = (message: string) => {
      if (isOpen) this.#send({ is: "warning", message });
    };
    const reader = await this.#job.source.open({ jobName, baseDir, warn }, signal);
    isOpen = true;
    return reader;
  }

  /**
   * Looks at the log once for each partition: it may be newer than what the reader knows; and one that was made anew
   * after the plan, before this reader was opened, is not the one that was planned. Where nothing is left to be read,
   * since that was said before, there is nothing to lose.
   */
  async #checkLog(reader: SourceReader, { range, end, parts }: TaskOrder, signal: AbortSignal): Promise<void> {
    const key = partitionKey(range);
    if (this.#checked.has(key) || parts.length === 0) return;
    if (end === undefined) await reader.partitions(signal);
    const [other] = end === undefined ? [] : await reader.mismatches([end], signal);
    if (other !== undefined) {
      const hint = "bring the old log back, or go on without it: runtime reset job.ts --to-earliest";
      throw new DataLossError(`the log is not what it was when the batch was planned (${other.reason})`, parts, {
        hint,
      });
    }
    this.#checked.add(key);
  }

  /** Never rejects: why closing fails is of no use to anybody. */
  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#checked.clear();
    try {
      await reader?.[Symbol.asyncDispose]();
    } catch {
      // What was open is gone with the thread.
    }
  }
}
