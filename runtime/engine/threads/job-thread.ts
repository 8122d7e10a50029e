// One job thread as the main thread sees it: gives it a task, takes what it sends, and notices when it dies. A thread
// that does not let go of a task in time is ended; what it had in hand fails, and nothing else does.
import { Worker } from "node:worker_threads";
import type { Clock } from "../../clock.ts";
import { formatRange, type OffsetRange } from "../../contract/positions.ts";
import { ConfigError, messageOf, PipelineError } from "../../errors.ts";
import type { TasksDone } from "../task-engine.ts";
import type { FromThread, JobThreadStart, SentRows, TaskOrder, ToThread } from "./messages.ts";
import { fromPortable, toPortable } from "./portable-error.ts";

/** For letting a task go, and for closing what is open. Longer takes only what hangs. */
const LET_GO_WITHIN_MS = 1_000;

export interface JobThreadOptions {
  readonly start: JobThreadStart;
  /** What the thread runs: it loads the job and answers with a TaskServer. */
  readonly program: URL;
  readonly clock: Clock;
  readonly onWarning: (message: string) => void;
}

/** What comes of a task while it runs. */
export interface TaskListener {
  readonly rows: (rows: SentRows, offset: bigint) => void;
  /** It goes on; `offset`: next to be read, where that is known. */
  readonly progress: (offset: bigint | undefined) => void;
}

interface RunningTask extends PromiseWithResolvers<TasksDone> {
  readonly id: number;
  readonly range: OffsetRange;
  readonly listener: TaskListener;
}

/** A thread that runs one task at a time. */
export class JobThread {
  readonly #options: JobThreadOptions;
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<void>();
  #closed: (() => void) | undefined;
  #task: RunningTask | undefined;
  /** Why it is not to be used any more. */
  #death: Error | undefined;
  #isClosing = false;

  constructor(options: JobThreadOptions) {
    this.#options = options;
    this.#worker = workerOf(options);
    this.#worker.on("message", (message: FromThread) => {
      try {
        this.#on(message);
      } catch (error) {
        // A listener of the user's own has thrown: nobody else would catch it.
        this.#die(error instanceof Error ? error : new Error(String(error)));
      }
    });
    this.#worker.on("messageerror", (error) => this.#die(error));
    this.#worker.on("error", (error) => this.#die(diedOf(error, this.#task?.range)));
    this.#worker.on("exit", (code) => {
      this.#die(exited(code, this.#task?.range));
      this.#ended.resolve();
    });
  }

  get isUsable(): boolean {
    return this.#death === undefined && !this.#isClosing;
  }

  /**
   * Runs a task; when one is running, it is a mistake of the caller's.
   * @throws as the task does; PipelineError the job's code ended the thread; ConfigError it cannot load the job
   */
  async run(order: TaskOrder, listener: TaskListener): Promise<TasksDone> {
    if (this.#death !== undefined) throw this.#death;
    const { id, range } = order;
    const task = { id, range, listener, ...Promise.withResolvers<TasksDone>() };
    this.#task = task;
    this.#post({ do: "run", task: order });
    try {
      return await task.promise;
    } finally {
      this.#task = undefined;
    }
  }

  /** So many bytes of a task's rows are written. */
  credit(id: number, bytes: number): void {
    if (this.#task?.id === id) this.#post({ do: "credit", id, bytes });
  }

  /** Gives up what it runs. Resolves when the thread is free, or has been ended. Never rejects. */
  async letGo(reason: unknown): Promise<void> {
    const task = this.#task;
    if (task === undefined) return;
    this.#post({ do: "abort", id: task.id, reason: toPortable(reason) });
    const free = task.promise.then(
      () => {},
      () => {},
    );
    if (!(await this.#inTime(free))) await this.#end();
  }

  /** Closes what it has open, and ends it. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#task === undefined && this.#death === undefined) {
      const closed = new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
      this.#post({ do: "close" });
      await this.#inTime(closed);
    }
    await this.#end();
  }

  #on(message: FromThread): void {
    switch (message.is) {
      case "ready":
        this.#task?.listener.progress(undefined);
        return;
      case "warning":
        this.#options.onWarning(message.message);
        return;
      case "unusable":
        this.#die(fromPortable(message.error));
        return;
      case "closed":
        this.#closed?.();
        return;
    }
    const task = this.#task;
    if (task === undefined || task.id !== message.id) return;
    switch (message.is) {
      case "rows":
        task.listener.rows(message.rows, message.offset);
        break;
      case "progress":
        task.listener.progress(message.offset);
        break;
      case "done":
        task.resolve({ records: message.records, tombstones: message.tombstones });
        break;
      case "failed":
        task.reject(fromPortable(message.error));
    }
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** It is not used any more, and ends. The first reason counts: others follow from it. */
  #die(reason: Error): void {
    if (this.#death !== undefined) return;
    this.#death = reason;
    void this.#worker.terminate();
    this.#closed?.();
    if (this.#task !== undefined) this.#task.reject(reason);
    else if (!this.#isClosing) this.#options.onWarning(`${reason.message}; another one takes its place`);
  }

  async #inTime(wait: Promise<void>): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = this.#options.clock.timer(LET_GO_WITHIN_MS, () => late.resolve(false));
    try {
      return await Promise.race([wait.then(() => true), late.promise]);
    } finally {
      timer.cancel();
    }
  }

  async #end(): Promise<void> {
    this.#isClosing = true;
    await this.#worker.terminate();
    await this.#ended.promise;
  }
}

function workerOf({ program, start: workerData }: JobThreadOptions): Worker {
  try {
    // Node 22 still warns of itself when it strips types.
    const execArgv = [...process.execArgv, "--disable-warning=ExperimentalWarning"];
    return new Worker(program, { workerData, execArgv });
  } catch (error) {
    // Flags of V8 and of the process (--max-old-space-size) may not be named here; they count for threads all the same.
    if (!(error instanceof Error && "code" in error && error.code === "ERR_WORKER_INVALID_EXEC_ARGV")) throw error;
    return new Worker(program, { workerData });
  }
}

function whileItRan(range: OffsetRange | undefined): string {
  return range === undefined ? "while it was idle" : `while it ran ${formatRange(range)}`;
}

function exited(code: number, range: OffsetRange | undefined): Error {
  return new PipelineError(`the job's code ended its thread with process.exit(${code}) ${whileItRan(range)}`, {
    code: "THREAD_EXIT",
    hint: "throw an error instead: the batch fails then, and the message says why",
  });
}

function diedOf(error: unknown, range: OffsetRange | undefined): Error {
  const isOurs = error instanceof Error && "code" in error;
  if (isOurs && error.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return new PipelineError(`a thread of the job had no memory left ${whileItRan(range)}`, {
      code: "THREAD_OUT_OF_MEMORY",
      cause: error,
      hint: "what does the pipeline keep? Else NODE_OPTIONS=--max-old-space-size=4096 (MiB), or maxOffsetsPerBatch",
    });
  }
  if (isOurs && (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND")) {
    return new ConfigError(`a job thread cannot start: ${error.message}`, { cause: error });
  }
  return new PipelineError(
    `an error that nothing caught ended a thread of the job ${whileItRan(range)}: ${messageOf(error)}`,
    {
      code: "THREAD_DIED",
      cause: error,
      hint: "look for a callback or a promise of the job's own that nobody waits for",
    },
  );
}
