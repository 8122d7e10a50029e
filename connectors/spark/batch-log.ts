// What the names in a Spark checkpoint's `offsets` and `commits` say: which batch was the last that is complete, and
// whether one was in flight. Pure. Spark writes `offsets/N` before batch N runs and `commits/N` after it, and removes
// old files of both from the lower end; anything that does not look so is refused, never guessed.
import { ConfigError } from "../../runtime/index.ts";

/** Where a query stopped. `offsets` is the file that tells where the next batch begins; undefined: sources/0/0 does. */
export interface StoppingPlace {
  readonly beginsAt: number | undefined;
  /** The batch that was planned and not completed. */
  readonly inFlight: number | undefined;
  readonly nextBatchId: number;
}

/** The batches among the names of files: others, such as `.7.crc` and `.7.….tmp`, are Spark's own affair. Sorted. */
export function batchNumbers(names: readonly string[]): number[] {
  return names
    .filter((name) => /^(0|[1-9]\d{0,14})$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * Decides from the batches in `offsets` and in `commits`, both sorted.
 * @throws ConfigError they do not fit together
 */
export function stoppingPlace(offsets: readonly number[], commits: readonly number[]): StoppingPlace {
  checkNoHole("offsets", offsets);
  checkNoHole("commits", commits);
  const planned = offsets.at(-1);
  const completed = commits.at(-1);
  if (planned === undefined) {
    if (completed !== undefined) throw refused(`commits/${completed} is there, but offsets is empty`);
    return { beginsAt: undefined, inFlight: undefined, nextBatchId: 0 };
  }
  if (completed === planned) return { beginsAt: planned, inFlight: undefined, nextBatchId: planned + 1 };
  if (completed !== undefined && completed > planned) {
    throw refused(`commits goes to batch ${completed}, but offsets only to batch ${planned}`);
  }
  if (planned !== (completed ?? -1) + 1) {
    const last = completed === undefined ? "none is complete" : `the last complete one is ${completed}`;
    throw refused(`offsets goes to batch ${planned}, but ${last}: more than one batch was in flight`);
  }
  if (completed === undefined) return { beginsAt: undefined, inFlight: planned, nextBatchId: planned };
  if (!offsets.includes(completed)) throw refused(`offsets/${completed} is missing, where batch ${planned} begins`);
  return { beginsAt: completed, inFlight: planned, nextBatchId: planned };
}

function checkNoHole(folder: string, batches: readonly number[]): void {
  batches.forEach((batch, index) => {
    const before = batches[index - 1];
    if (before !== undefined && batch !== before + 1) throw refused(`${folder} has a hole: ${before + 1} is missing`);
  });
}

/** The error of a checkpoint that cannot be gone on from, with the reason. */
export function refused(reason: string, hint?: string): ConfigError {
  return new ConfigError(`this Spark checkpoint cannot be imported: ${reason}`, {
    hint: hint ?? "run the query once more with Spark, stop it in good order, and import it then",
  });
}
