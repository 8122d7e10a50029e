// One writer's term: from taking the log over to letting everything go. The order of opening is the fence (invariant
// 5): the epoch begins in the log, then the sinks are opened with it, then the head is read again, and only then is
// anything written.
import type { Clock } from "../clock.ts";
import type { DeadLetter, NormalizedJob } from "../contract/job.ts";
import type { PartitionBounds, Position } from "../contract/positions.ts";
import type { Sink, SinkContext, SinkWriter } from "../contract/sink.ts";
import type { OpenContext, SourceReader } from "../contract/source.ts";
import type { CheckpointStore } from "../contract/store.ts";
import { ConfigError, DataLossError } from "../errors.ts";
import type { JobListener } from "../events.ts";
import { Journal } from "../journal/journal.ts";
import type { RunIdentity } from "../journal/may-take-over.ts";
import { lostAtPositions } from "../plan/plan-ranges.ts";
import { encodeCurrent } from "./current-offsets.ts";
import { Attempt, withDeadline } from "./deadline.ts";
import { startBeating } from "./heartbeat.ts";
import { checkNoLogIsLost } from "./lost-log.ts";
import { Opened } from "./opened.ts";
import { ReadAhead } from "./read-ahead.ts";
import { Retention } from "./retention.ts";
import { Showing } from "./showing.ts";
import type { TaskEngine } from "./task-engine.ts";

export interface TermInput {
  readonly job: NormalizedJob;
  readonly store: CheckpointStore;
  readonly baseDir: string;
  readonly clock: Clock;
  readonly onEvent: JobListener;
  /** Gives everything up at once. */
  readonly abortSignal: AbortSignal;
  readonly purpose: "run" | "reset";
  readonly run: RunIdentity;
  /** What runs the batches' tasks, open for the whole run; undefined: the main thread. */
  readonly tasks?: TaskEngine | undefined;
}

/** The current offsets while they may be ahead of the log: the ends of the batch that runs, else of the last one. */
export interface Reading {
  positions: readonly Position[] | undefined;
}

/** Everything a job needs while it runs, open. */
export interface Term extends AsyncDisposable {
  readonly input: TermInput;
  readonly journal: Journal;
  readonly reader: SourceReader;
  /** Its records, those of the next batch early. */
  readonly ahead: ReadAhead;
  readonly writer: SinkWriter;
  readonly deadLetterWriter: SinkWriter | undefined;
  readonly retention: Retention;
  readonly showing: Showing;
  readonly reading: Reading;
  /** The partitions as they were when the term began. */
  readonly bounds: readonly PartitionBounds[];
}

/**
 * Opens a term. Everything that was opened is closed again when it fails half-way. `stopSignal` gives up the opening,
 * which has nothing in hand, and has no meaning afterwards.
 */
export async function openTerm(input: TermInput, stopSignal?: AbortSignal): Promise<Term> {
  const { abortSignal } = input;
  const opening = new Attempt(abortSignal);
  const stop = () => opening.giveUp(stopSignal?.reason);
  stopSignal?.addEventListener("abort", stop, { once: true });
  try {
    return await open(input, opening.signal);
  } finally {
    opening.succeed();
    stopSignal?.removeEventListener("abort", stop);
  }
}

async function open(input: TermInput, openingSignal: AbortSignal): Promise<Term> {
  const { job, store, clock, onEvent, baseDir, abortSignal } = input;
  const context: OpenContext = {
    jobName: job.name,
    baseDir,
    warn: (message) => onEvent({ type: "warning", message }),
  };
  const deadLetters = deadLetterSinkOf(job, baseDir);
  await using stack = new Opened();
  const deadline = { phase: "open", timeoutMs: job.phaseTimeoutMs, clock, signal: openingSignal } as const;
  // Awaited here: what is open must not be closed before the work is done.
  return await withDeadline(deadline, async (signal) => {
    const reader = stack.use(await job.source.open(context, signal));
    // A source that cannot be read ends here, before another run of this job is shut out.
    await reader.partitions(signal);
    await checkNoLogIsLost(store, reader, job.name, signal);
    const takeOver = { store, jobName: job.name, purpose: input.purpose, clock, signal, run: input.run };
    const journal = stack.use(await Journal.takeOver(takeOver));
    const reading: Reading = { positions: undefined };
    const current = () => reading.positions && encodeCurrent(reading.positions);
    stack.use(startBeating({ journal, clock, signal: abortSignal, current }));
    const retention = stack.use(new Retention(input, journal));
    const { lineageId } = journal.state;
    const showing = stack.use(new Showing({ reader, lineageId, clock, onWarning: context.warn }));
    const sinkContext: SinkContext = { ...context, lineageId, epoch: journal.epoch };
    // Only the sink of the rows: one transaction cannot be two sinks'. And only where an entry goes with every batch.
    const logTransactions = job.commit === "batch" ? journal.transactions : undefined;
    const writer = stack.use(await job.sink.open({ ...sinkContext, logTransactions }, signal));
    const deadLetterWriter = deadLetters && stack.use(await deadLetters.open(sinkContext, signal));
    await journal.verifyHead(signal);
    // What this thread reads ahead is of no use to others.
    const ahead = stack.use(new ReadAhead(reader, input.tasks?.readsItself === true ? 0 : undefined));
    // Looked at again: the positions that were read meanwhile may lie beyond what the first look saw.
    const bounds = await reader.partitions(signal);
    // A reset is the remedy for a log that is not what it was.
    if (input.purpose === "run") await checkSameLog(input, reader, journal.state.positions ?? [], bounds, signal);
    const opened = stack.move();
    return {
      input,
      journal,
      reader,
      ahead,
      writer,
      deadLetterWriter,
      bounds,
      retention,
      showing,
      reading,
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  });
}

/**
 * The sink of the dead letters, if there is one.
 * @throws ConfigError it remembers its batches where the sink of the rows does
 */
function deadLetterSinkOf({ sink, onPoisonRecord }: NormalizedJob, baseDir: string): Sink<DeadLetter> | undefined {
  if (typeof onPoisonRecord !== "object") return undefined;
  const { deadLetterSink } = onPoisonRecord;
  const place = deadLetterSink.placeOfBatches?.(baseDir);
  if (place === undefined || place !== sink.placeOfBatches?.(baseDir)) return deadLetterSink;
  throw new ConfigError(`the dead letters go where the rows go (${deadLetterSink.kind}: ${deadLetterSink.target})`, {
    code: "DEAD_LETTERS_AMONG_ROWS",
    hint: "give deadLetter() a sink with a folder, table or topic of its own",
  });
}

/** Whether the log is the one that the positions were taken in: not re-created, replaced, or cut. */
async function checkSameLog(
  { job, onEvent }: TermInput,
  reader: SourceReader,
  positions: readonly Position[],
  bounds: readonly PartitionBounds[],
  signal: AbortSignal,
): Promise<void> {
  const outside = lostAtPositions(positions, bounds);
  const inside = positions.filter(
    (position) => !outside.some((lost) => lost.topic === position.topic && lost.partition === position.partition),
  );
  const others = await reader.mismatches(inside, signal);
  if (outside.length === 0 && others.length === 0) return;
  const reasons = [
    ...outside.map(({ topic, partition, reason }) => `${topic}:${partition}: ${reason}`),
    ...others.map(({ position, reason }) => `${position.topic}:${position.partition} at ${position.offset}: ${reason}`),
  ];
  const message = `the log is not what it was when the position was recorded (${reasons.join("; ")})`;
  if (!job.source.failOnDataLoss) {
    onEvent({ type: "warning", message });
    return;
  }
  throw new DataLossError(message, outside, {
    hint: "bring the old log back, or go on without it: runtime reset job.ts --to-earliest, or failOnDataLoss: false",
  });
}
