// What the main thread and a job thread say to each other: plain data. A task has a number that is never used twice, so
// that what comes late from a task that was given up is known.
import type { OffsetRange, Position } from "../../contract/positions.ts";
import type { EncodedRows } from "../../contract/sink.ts";
import type { PortableError } from "./portable-error.ts";

/** How a job thread begins (its `workerData`). */
export interface JobThreadStart {
  /** The file whose default export is the job; absolute. */
  readonly jobFile: string;
  readonly jobName: string;
  readonly baseDir: string;
}

/** A task to run, as it crosses to the thread. */
export interface TaskOrder {
  readonly id: number;
  readonly batchId: number;
  /** Counts the run's terms: each begins with a reader that is opened anew. */
  readonly term: number;
  readonly range: OffsetRange;
  readonly end: Position | undefined;
  readonly parts: readonly OffsetRange[];
  readonly skip: readonly bigint[];
  /** How many bytes may be on their way, not yet written; ≥ 1. */
  readonly creditBytes: number;
}

export type ToThread =
  | { readonly do: "run"; readonly task: TaskOrder }
  /** So many bytes of this task have been written. */
  | { readonly do: "credit"; readonly id: number; readonly bytes: number }
  | { readonly do: "abort"; readonly id: number; readonly reason: PortableError }
  /** Closes what is open; "closed" answers. */
  | { readonly do: "close" };

export type FromThread =
  /** The job is loaded. */
  | { readonly is: "ready" }
  | { readonly is: "rows"; readonly id: number; readonly offset: bigint; readonly rows: SentRows }
  /** It has got so far without rows. */
  | { readonly is: "progress"; readonly id: number; readonly offset: bigint }
  | { readonly is: "done"; readonly id: number; readonly records: number; readonly tombstones: number }
  | { readonly is: "failed"; readonly id: number; readonly error: PortableError }
  /** It could not load the job. */
  | { readonly is: "unusable"; readonly error: PortableError }
  | { readonly is: "warning"; readonly message: string }
  | { readonly is: "closed" };

/** Rows on their way: encoded, or as they are where the main thread works on them (`combine`, plain encoders). */
export interface SentRows {
  readonly encoded: readonly EncodedRows[];
  /** What they count against the credit. */
  readonly sizeBytes: number;
}
