// One class per thing the caller must do about it. Every error has a stable `code`, says whether trying again can
// help, and carries a hint: what to type or change. Only `retryable` errors are retried, by the scheduler alone.
import { formatRange, type OffsetRange } from "./contract/positions.ts";

export interface ErrorDetails {
  readonly code?: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The base of all errors this package throws on purpose. */
export abstract class TidemarkError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  abstract readonly retryable: boolean;

  constructor(defaultCode: string, message: string, { code, hint, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code ?? defaultCode;
    this.hint = hint;
    this.name = new.target.name;
  }
}

/** The job, an option, a URL or the command is wrong: change it. Exit code 2. */
export class ConfigError extends TidemarkError {
  readonly retryable = false;
  constructor(message: string, details?: ErrorDetails) {
    super("CONFIG", message, details);
  }
}

/** Something cannot be reached or is busy now, and nothing was changed: try again. */
export class TransientError extends TidemarkError {
  readonly retryable = true;
  constructor(message: string, details?: ErrorDetails) {
    super("TRANSIENT", message, details);
  }
}

/** A write's reply was lost: it may have happened, or happen later. Repeat the same write with the same key. */
export class OutcomeUnknownError extends TidemarkError {
  readonly retryable = true;
  constructor(message: string, details?: ErrorDetails) {
    super("OUTCOME_UNKNOWN", message, details);
  }
}

/** A newer run of this job has taken over: stop. Exit code 3. */
export class FencedError extends TidemarkError {
  readonly retryable = false;
  constructor(message: string, details?: ErrorDetails) {
    super("FENCED", message, details);
  }
}

/** The checkpoint contradicts itself, or belongs to something else: look before anything runs. */
export class CheckpointCorruptError extends TidemarkError {
  readonly retryable = false;
  constructor(message: string, details?: ErrorDetails) {
    super("CHECKPOINT_CORRUPT", message, details);
  }
}

/** A checkpoint that must be there is not. */
export class CheckpointMissingError extends TidemarkError {
  readonly retryable = false;
  constructor(message: string, details?: ErrorDetails) {
    super("CHECKPOINT_MISSING", message, details);
  }
}

/** The log no longer holds what a plan or a position needs. */
export class DataLossError extends TidemarkError {
  readonly retryable = false;
  /** What is gone, sorted. */
  readonly lost: readonly OffsetRange[];
  constructor(message: string, lost: readonly OffsetRange[], details?: ErrorDetails) {
    super("DATA_LOSS", `${message}${lost.length > 0 ? `: ${lost.map(formatRange).join(", ")}` : ""}`, details);
    this.lost = lost;
  }
}

/** A record that cannot be decoded. */
export class PoisonRecordError extends TidemarkError {
  readonly retryable = false;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  constructor(at: { topic: string; partition: number; offset: bigint }, message: string, details?: ErrorDetails) {
    super("POISON_RECORD", message, details);
    this.topic = at.topic;
    this.partition = at.partition;
    this.offset = at.offset;
  }
}

/** The user's pipeline, combine or sink function threw, or did not complete. */
export class PipelineError extends TidemarkError {
  readonly retryable = false;
  /** The row of the batch that a sink refuses, by its number from 1, where it is about one row. */
  readonly rowNumber: number | undefined;
  constructor(message: string, details: ErrorDetails & { readonly rowNumber?: number | undefined } = {}) {
    super("PIPELINE", message, details);
    this.rowNumber = details.rowNumber;
  }
}

/** Whether trying the same thing again can help. Errors of unknown origin are not retried. */
export function isRetryable(error: unknown): boolean {
  return error instanceof TidemarkError && error.retryable;
}

/**
 * The error that came first: when closing what was open fails as well, JavaScript wraps both in a SuppressedError
 * (https://tc39.es/proposal-explicit-resource-management), which says nothing about what to do.
 */
export function originalError(error: unknown): unknown {
  const isWrapped = error instanceof Error && error.name === "SuppressedError" && "suppressed" in error;
  return isWrapped ? originalError(error.suppressed) : error;
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
