// Finds the records that a range cannot be processed with. Undecodable ones are found by reading on behind each;
// those that make the pipeline throw, by running the range again in halves whose output is thrown away (invariant
// 11).
import type { OffsetRange } from "../contract/positions.ts";
import { messageOf, PipelineError, PoisonRecordError } from "../errors.ts";
import type { PoisonRecord } from "../plan/plan.ts";

/** More than this is no bad luck but a wrong deserializer or pipeline. */
const MAX_POISON_RECORDS_PER_BATCH = 1_000;
const MAX_ERROR_CHARACTERS = 500;

export interface Attempts {
  /** Reads and decodes a range, without the pipeline; rejects as the source does. */
  readonly decode: (range: OffsetRange, skip: ReadonlySet<bigint>) => Promise<void>;
  /** Runs the pipeline over a range and throws its rows away; rejects as the task does. */
  readonly run: (range: OffsetRange, skip: ReadonlySet<bigint>) => Promise<void>;
}

/**
 * The poison records of a range, in order, beside those in `known`.
 * @throws PipelineError the range fails as a whole, but none of its records fails alone; or there are too many
 */
export async function findPoison(
  range: OffsetRange,
  known: ReadonlySet<bigint>,
  attempts: Attempts,
): Promise<PoisonRecord[]> {
  const skip = new Set(known);
  const found: PoisonRecord[] = [];
  const add = (offset: bigint, phase: PoisonRecord["phase"], error: unknown) => {
    skip.add(offset);
    const message = messageOf(error).slice(0, MAX_ERROR_CHARACTERS);
    found.push({ topic: range.topic, partition: range.partition, offset, phase, error: message });
    if (found.length <= MAX_POISON_RECORDS_PER_BATCH) return;
    throw new PipelineError(`more than ${MAX_POISON_RECORDS_PER_BATCH} poison records in one batch: ${message}`, {
      cause: error,
      hint: "that many bad records look like a wrong deserializer or pipeline",
    });
  };

  for (let from = range.fromOffset; from < range.untilOffset; ) {
    const bad = await failureOf(() => attempts.decode({ ...range, fromOffset: from }, skip));
    if (bad === undefined) break;
    if (!(bad.error instanceof PoisonRecordError)) throw bad.error;
    add(bad.error.offset, "decode", bad.error.cause ?? bad.error);
    from = bad.error.offset + 1n;
  }

  /** Whether any poison was found in `part`. */
  const search = async (part: OffsetRange): Promise<boolean> => {
    if (part.fromOffset === part.untilOffset) return false;
    const failed = await failureOf(() => attempts.run(part, skip));
    if (failed === undefined) return false;
    if (!(failed.error instanceof PipelineError) || failed.error.code !== "PIPELINE") throw failed.error;
    if (part.untilOffset - part.fromOffset === 1n) {
      add(part.fromOffset, "pipeline", failed.error.cause ?? failed.error);
      return true;
    }
    const middle = (part.fromOffset + part.untilOffset) / 2n;
    const inFirst = await search({ ...part, untilOffset: middle });
    const inSecond = await search({ ...part, fromOffset: middle });
    if (inFirst || inSecond) return true;
    throw new PipelineError(
      `the pipeline fails on the whole range, but on no record alone: ${messageOf(failed.error)}`,
      {
        cause: failed.error,
        hint: "it fails on several records together, so none can be skipped: mend the pipeline",
      },
    );
  };
  // Leaving out what was found may bring up what was hidden behind it.
  while (await search(range));
  return found.sort((a, b) => (a.offset < b.offset ? -1 : 1));
}

async function failureOf(work: () => Promise<void>): Promise<{ error: unknown } | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { error };
  }
}
