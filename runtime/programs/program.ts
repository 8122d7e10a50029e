// What the programs share: the options they all take, and how they get a job's checkpoint store.
import { resolve } from "node:path";
import { type Clock, systemClock } from "../clock.ts";
import type { Job, NormalizedJob } from "../contract/job.ts";
import type { OpenContext } from "../contract/source.ts";
import type { CheckpointStore } from "../contract/store.ts";
import { isJob } from "../define-job.ts";
import { type StoreDeadlines, withDeadlines } from "../engine/store-deadlines.ts";
import { ConfigError, originalError } from "../errors.ts";
import { openStore } from "../open-store.ts";

/** Options of every program. */
export interface ProgramOptions {
  /**
   * Relative paths of the job are resolved against it; default: the current folder. The CLI gives the folder of
   * job.ts.
   */
  readonly baseDir?: string;
  /** Instead of the job's own `checkpoint`. */
  readonly checkpoint?: string | CheckpointStore;
  /** Ends the program early. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Takes notes that are no errors, one line each. */
  readonly onWarning?: (message: string) => void;
}

/** The options with their defaults. */
export interface ProgramContext {
  readonly job: NormalizedJob;
  readonly store: CheckpointStore;
  readonly baseDir: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly openContext: OpenContext;
}

/**
 * Opens a store by its URL, with a deadline for every call, and closes it when the work is done; a store object stays
 * the caller's to close. When the work fails and closing fails as well, the work's error is the one that is told.
 */
export async function withStore<T>(
  checkpoint: string | CheckpointStore,
  { baseDir, ...deadlines }: { readonly baseDir: string } & StoreDeadlines,
  work: (store: CheckpointStore) => Promise<T>,
): Promise<T> {
  try {
    const store = await openStore(checkpoint, { baseDir });
    await using _own = typeof checkpoint === "string" ? store : undefined;
    return await work(withDeadlines(store, deadlines));
  } catch (error) {
    throw originalError(error);
  }
}

/** What is read at the old place of a checkpoint that has moved is history, and is said to be. */
export function warnWhenMoved(state: { readonly movedTo: string | undefined } | undefined, context: OpenContext): void {
  if (state?.movedTo === undefined) return;
  context.warn(`its checkpoint has moved to ${state.movedTo}: this is how it stood when it left`);
}

/** Fills in defaults and opens the store. */
export async function withProgram<T>(
  job: Job,
  options: ProgramOptions,
  work: (context: ProgramContext) => Promise<T>,
): Promise<T> {
  if (!isJob(job)) throw new ConfigError("this is not a job", { hint: "make one with defineJob({ … })" });
  const { definition } = job;
  const checkpoint = options.checkpoint ?? definition.checkpoint;
  const baseDir = resolve(options.baseDir ?? ".");
  const clock = options.clock ?? systemClock;
  return withStore(checkpoint, { baseDir, clock, timeoutMs: definition.storeTimeoutMs }, (store) =>
    work({
      job: definition,
      store,
      baseDir,
      signal: options.signal ?? new AbortController().signal,
      clock,
      openContext: { jobName: definition.name, baseDir, warn: options.onWarning ?? (() => {}) },
    }),
  );
}
