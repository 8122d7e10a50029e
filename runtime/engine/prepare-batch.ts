// Prepares one planned batch up to its rows waiting in the sink for their one commit: its ranges in partition order
// through the pipeline (and combine). Poison records are decided, and recorded, before anything commits; then the batch
// runs again as a whole without them. Who commits, and when completion is recorded, is the scheduler's.
import type { Clock } from "../clock.ts";
import type { NormalizedJob } from "../contract/job.ts";
import { formatRange, type OffsetRange, partitionKey } from "../contract/positions.ts";
import type { Batch, BatchCommits, BatchWrite, JointTransaction, RowEncoder, SinkWriter } from "../contract/sink.ts";
import type { LostRange, SourceReader } from "../contract/source.ts";
import { ConfigError, DataLossError, PipelineError, PoisonRecordError } from "../errors.ts";
import type { BatchCounts } from "../journal/entry.ts";
import type { BatchInHand } from "../journal/recover.ts";
import { countOffsets, type PlannedRange, type PoisonRecord } from "../plan/plan.ts";
import { withoutLost } from "../plan/plan-ranges.ts";
import { Combining } from "./combine.ts";
import { writeDeadLetters } from "./dead-letters.ts";
import { Attempt, withDeadline } from "./deadline.ts";
import { findPoison } from "./find-poison.ts";
import { inlineTasks } from "./inline-tasks.ts";
import { runTask } from "./run-task.ts";
import type { TaskEngine, TaskWork } from "./task-engine.ts";

/** More rounds than this mean that the pipeline fails on other records each time it runs. */
const MAX_POISON_ROUNDS = 10;

export interface BatchInput {
  readonly job: NormalizedJob;
  readonly lineageId: string;
  readonly reader: Pick<SourceReader, "read" | "readRaw">;
  readonly writer: SinkWriter;
  /** What runs its tasks; default: this thread. */
  readonly tasks?: TaskEngine | undefined;
  /** Open when the job sends poison records to a sink. */
  readonly deadLetterWriter: SinkWriter | undefined;
  readonly inHand: BatchInHand;
  /** Whether its plan is not recorded (job option `commit`); default false. */
  readonly isUnplanned?: boolean;
  /** For function sinks; undefined: nothing is committed. */
  readonly commits?: BatchCommits;
  /** What the log no longer holds of the plan. */
  readonly lost: readonly LostRange[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes a decision about poison records durable, before any sink commits. */
  readonly recordPoison: (records: readonly PoisonRecord[]) => Promise<void>;
  readonly onProgress: (offsets: bigint) => void;
}

/** A batch whose rows are with the sink, not visible yet. Disposing it throws away what was not committed. */
export interface PreparedBatch extends AsyncDisposable {
  readonly counts: BatchCounts;
  readonly lost: readonly OffsetRange[];
  /** The sink's open transaction, if it has one that a store may complete; the dead letters must be durable then. */
  readonly transaction: JointTransaction | undefined;
  commitDeadLetters(): Promise<void>;
  /** Makes the rows durable and visible; does nothing when the sink had them already. */
  commitRows(): Promise<void>;
}

/**
 * @throws PoisonRecordError | PipelineError under `onPoisonRecord: "fail"`, or when no record is to blame
 * @throws DataLossError a part of the plan is gone and `failOnDataLoss` is on
 * @throws TransientError | OutcomeUnknownError: open everything anew and run the same plan again
 */
export async function prepareBatch(input: BatchInput): Promise<PreparedBatch> {
  let { inHand, lost } = input;
  for (let round = 0; ; round++) {
    try {
      const outcome = await prepareOrPoison({ ...input, inHand, lost }, round < MAX_POISON_ROUNDS);
      if (!("poison" in outcome)) return outcome;
      await input.recordPoison(outcome.poison);
      inHand = { ...inHand, poison: [...inHand.poison, ...outcome.poison] };
    } catch (error) {
      if (!(error instanceof DataLossError) || input.job.source.failOnDataLoss || error.lost.length === 0) throw error;
      const before = lost;
      lost = [...lost, ...error.lost.map((part) => ({ ...part, reason: error.message }))];
      // What is lost of something else would be lost again in every round.
      if (offsetsLeft(inHand, lost) === offsetsLeft(inHand, before)) throw error;
    }
  }
}

function offsetsLeft({ plan }: BatchInHand, lost: readonly LostRange[]): bigint {
  return countOffsets(plan.ranges.flatMap((range) => withoutLost(range, lost)));
}

/** One attempt, or the poison records that it failed on. */
async function prepareOrPoison(
  input: BatchInput,
  mayDecide: boolean,
): Promise<PreparedBatch | { readonly poison: readonly PoisonRecord[] }> {
  const attempt = new Attempt(input.signal);
  try {
    return await prepareAttempt({ ...input, signal: attempt.signal }, attempt);
  } catch (error) {
    attempt.giveUp(error);
    const isPoison =
      error instanceof PoisonRecordError || (error instanceof PipelineError && error.code === "PIPELINE");
    if (!isPoison || input.job.onPoisonRecord === "fail" || !mayDecide) throw error;
    return { poison: await decidePoison(input, error) };
  }
}

async function prepareAttempt(input: BatchInput, attempt: Attempt): Promise<PreparedBatch> {
  const { inHand, lost, clock, job, writer } = input;
  const { plan, poison } = inHand;
  const began = clock.elapsed();
  const batch = batchOf(input);
  const prepared = (counts: Omit<BatchCounts, "poison" | "durationMs">, write?: BatchWrite): PreparedBatch => ({
    counts: { ...counts, poison: poison.length, durationMs: Math.round(clock.elapsed() - began) },
    lost: lost.map(({ topic, partition, fromOffset, untilOffset }) => ({ topic, partition, fromOffset, untilOffset })),
    transaction: write?.transaction,
    commitDeadLetters: () => (write === undefined ? Promise.resolve() : commitDeadLetters(input, batch)),
    async commitRows() {
      await write?.commit();
      attempt.succeed();
    },
    async [Symbol.asyncDispose]() {
      attempt.giveUp(new Error("the batch was not committed"));
      await write?.[Symbol.asyncDispose]();
    },
  });
  if (countOffsets(plan.ranges) === 0n) return prepared({ records: 0, rows: 0, tombstones: 0, alreadyWritten: false });

  const deadline = { phase: "read and process", timeoutMs: job.phaseTimeoutMs, clock, signal: input.signal } as const;
  const write = await withDeadline({ ...deadline, phase: "begin" }, () => writer.begin(batch, input.commits));
  if (write === "already-written") {
    if (input.isUnplanned) throw skipsUnplanned(job.sink.kind);
    return prepared({ alreadyWritten: true });
  }
  try {
    const counts = await withDeadline(deadline, (signal, progressed) =>
      process({ ...input, signal }, batch, write, progressed),
    );
    return prepared({ ...counts, alreadyWritten: false }, write);
  } catch (error) {
    // What the disposal of a broken write says is less than what broke it.
    await Promise.resolve(write[Symbol.asyncDispose]()).catch(() => {});
    throw error;
  }
}

async function commitDeadLetters(input: BatchInput, batch: Batch): Promise<void> {
  const { deadLetterWriter: writer, reader, job, inHand } = input;
  const { poison } = inHand;
  if (writer === undefined || poison.length === 0 || typeof job.onPoisonRecord !== "object") return;
  await writeDeadLetters({ sink: job.onPoisonRecord.deadLetterSink, writer, reader, batch, poison });
}

interface Counts {
  readonly records: number;
  readonly rows: number;
  readonly tombstones: number;
}

/** Runs every task, in order, and hands the sink all rows; commits nothing. */
async function process(input: BatchInput, batch: Batch, write: BatchWrite, progressed: () => void): Promise<Counts> {
  const { job, reader, inHand, clock, signal, tasks: engine = inlineTasks } = input;
  const encoder = job.sink.encoder();
  const combining = job.combine && new Combining(job.combine, batch, (row) => encoder.add(row));
  let rows = 0;
  let done = 0n;
  const flush = async () => {
    rows += await writeTaken(encoder, write);
  };
  const combine = combining && { add: (row: unknown) => combining.add(row), flush };
  const tasks = inHand.plan.ranges
    .filter(({ fromOffset, untilOffset }) => fromOffset < untilOffset)
    .map((range) => workOf(input, range));
  try {
    const counts = await engine.run(
      { job, reader, batchId: inHand.plan.batchId, tasks, clock, signal },
      {
        combine,
        write: async (encoded) => {
          await write.write(encoded);
          rows += encoded.rowCount;
        },
        progressed: (offsets) => {
          done += offsets;
          progressed();
          input.onProgress(done);
        },
      },
    );
    await combining?.complete(signal);
    await flush();
    return { ...counts, rows };
  } finally {
    combining?.stop();
  }
}

async function writeTaken(encoder: RowEncoder<unknown>, write: BatchWrite): Promise<number> {
  const encoded = encoder.take();
  if (encoded === undefined) return 0;
  await write.write(encoded);
  return encoded.rowCount;
}

function workOf({ inHand, lost }: BatchInput, planned: PlannedRange): TaskWork {
  const { topic, partition, untilOffset, untilMark } = planned;
  const end = untilMark === undefined ? undefined : { topic, partition, offset: untilOffset, mark: untilMark };
  const range = { topic, partition, fromOffset: planned.fromOffset, untilOffset };
  return { range, end, parts: withoutLost(range, lost), skip: poisonOffsets(inHand, range) };
}

function poisonOffsets({ poison }: BatchInHand, range: OffsetRange): Set<bigint> {
  const key = partitionKey(range);
  return new Set(poison.filter((record) => partitionKey(record) === key).map(({ offset }) => offset));
}

/** Finds all poison records of the batch in hand. @throws PipelineError when the failure comes from no record */
async function decidePoison(input: BatchInput, failure: Error): Promise<PoisonRecord[]> {
  const { inHand, job, clock } = input;
  const found: PoisonRecord[] = [];
  const deadline = { phase: "read and process", timeoutMs: job.phaseTimeoutMs, clock, signal: input.signal } as const;
  for (const range of inHand.plan.ranges) {
    const known = poisonOffsets(inHand, range);
    for (const part of withoutLost(range, input.lost)) {
      const attempts = {
        decode: (piece: OffsetRange, skip: ReadonlySet<bigint>) =>
          withDeadline(deadline, async (signal) => {
            for await (const _ of input.reader.read(piece, { signal, skip })) signal.throwIfAborted();
          }),
        run: (piece: OffsetRange, skip: ReadonlySet<bigint>) =>
          withDeadline(deadline, async (signal) => {
            const encoder = job.sink.encoder();
            const row = job.combine ? () => {} : (value: unknown) => encoder.add(value);
            const { reader } = input;
            const task = { job, reader, batchId: inHand.plan.batchId, range: piece, parts: [piece], skip, signal };
            await runTask(task, { row, flush: async () => void encoder.take() });
          }),
      };
      found.push(...(await findPoison(part, known, attempts)));
    }
  }
  if (found.length > 0) return found;
  throw new PipelineError(`${failure.message} (it does not fail again when it runs a second time)`, {
    cause: failure,
    code: "NOT_DETERMINISTIC",
    hint: `look for what changes between two runs over ${inHand.plan.ranges.map(formatRange).slice(0, 3).join(", ")}`,
  });
}

/** Its number and even its hash may be those of a batch that was written and not committed: rows would be lost. */
function skipsUnplanned(kind: string): ConfigError {
  return new ConfigError(`the ${kind} sink takes a batch without a recorded plan for one that it has written`, {
    hint: 'such a sink needs commit: "batch"',
  });
}

function batchOf({ job, lineageId, inHand, signal, isUnplanned = false }: BatchInput): Batch {
  const ranges = inHand.plan.ranges.map(({ topic, partition, fromOffset, untilOffset }) => ({
    topic,
    partition,
    fromOffset,
    untilOffset,
  }));
  const { batchId, hash: planHash } = inHand.plan;
  return { jobName: job.name, lineageId, batchId, planHash, ranges, signal, ...(isUnplanned && { isUnplanned }) };
}
