// `replayJob`: runs saved ranges again through the job's pipeline into another sink, beside the live job. It takes no
// epoch, moves no position and writes no checkpoint. Each batch is replayed as it was: the same ranges, without the
// same poison records.
import { createHash } from "node:crypto";
import type { Job, NormalizedJob } from "../contract/job.ts";
import {
  comparePartitions,
  formatRange,
  type OffsetRange,
  type PartitionBounds,
  partitionKey,
} from "../contract/positions.ts";
import type { Sink } from "../contract/sink.ts";
import type { SourceReader } from "../contract/source.ts";
import { prepareBatch } from "../engine/prepare-batch.ts";
import { ConfigError, DataLossError } from "../errors.ts";
import type { BatchInHand } from "../journal/recover.ts";
import { makePlan, planHash } from "../plan/plan.ts";
import { lostParts } from "../plan/plan-ranges.ts";
import { functionSink } from "../row-sink.ts";
import { type BatchRecord, readHistory } from "./history.ts";
import { type ProgramContext, type ProgramOptions, withProgram } from "./program.ts";

export interface ReplayOptions extends ProgramOptions {
  /**
   * Which batches, both inclusive (with those that were committed together with one of them); or `ranges`; or
   * `sinceMs`. Exactly one of the three.
   */
  readonly batches?: { readonly from: number; readonly to: number };
  /** Any ranges, replayed as one batch. */
  readonly ranges?: readonly OffsetRange[];
  /** Batches completed at or after this time, ms since the Unix epoch. */
  readonly sinceMs?: number;
  /** Where the rows go; undefined: nowhere, they are only counted. */
  readonly sink: Sink<never> | undefined;
}

export interface ReplayResult {
  readonly batches: number;
  readonly records: number;
  readonly rows: number;
  /**
   * How many of the batches are known to have given another number of rows when they ran: the code or the log is not
   * the same.
   */
  readonly differing: readonly number[];
}

/**
 * Replays saved ranges.
 * @throws ConfigError nothing matches, or the history does not reach back so far
 * @throws DataLossError the log no longer holds a part of them, before anything is written
 */
export function replayJob(job: Job, options: ReplayOptions): Promise<ReplayResult> {
  return withProgram(job, options, async (context) => {
    const { batches: history, state } = await readHistory(context.store, context.job.name, context.signal);
    const lineageId = replayLineage(state?.lineageId ?? "never ran");
    const chosen =
      options.ranges === undefined ? chooseBatches(history, options) : [asBatch(options.ranges, lineageId)];
    await using reader = await context.job.source.open(context.openContext, context.signal);
    await checkStillThere(chosen, reader, await reader.partitions(context.signal), context.signal);
    return await replayAll(
      context,
      reader,
      chosen,
      lineageId,
      (options.sink ?? functionSink(() => {})) as Sink<unknown>,
    );
  });
}

async function replayAll(
  { job, openContext, signal, clock }: ProgramContext,
  reader: SourceReader,
  chosen: readonly BatchRecord[],
  lineageId: string,
  sink: Sink<unknown>,
): Promise<ReplayResult> {
  const jobName = `${job.name.slice(0, 56)}-replay`;
  await using writer = await sink.open({ ...openContext, jobName, lineageId, epoch: 0n }, signal);
  const replayed: NormalizedJob = { ...job, sink, onPoisonRecord: "fail" };
  const result = { batches: 0, records: 0, rows: 0, differing: [] as number[] };
  for (const batch of chosen) {
    signal.throwIfAborted();
    const inHand: BatchInHand = { plan: makePlan(lineageId, batch.batchId, batch.ranges), poison: batch.poison };
    await using prepared = await prepareBatch({
      job: replayed,
      lineageId,
      reader,
      writer,
      deadLetterWriter: undefined,
      inHand,
      lost: batch.lost.map((lost) => ({ ...lost, reason: "it was lost when the batch ran" })),
      clock,
      signal,
      recordPoison: async () => {},
      onProgress: () => {},
    });
    await prepared.commitRows();
    const { counts } = prepared;
    result.batches++;
    result.records += counts.records ?? 0;
    result.rows += counts.rows ?? 0;
    const before = batch.counts?.rows;
    if (before !== undefined && counts.rows !== undefined && before !== counts.rows)
      result.differing.push(batch.batchId);
  }
  return result;
}

function chooseBatches(history: readonly BatchRecord[], { batches: asked, sinceMs }: ReplayOptions): BatchRecord[] {
  const [oldest] = history;
  const newest = history.at(-1);
  if (oldest === undefined || newest === undefined) {
    throw new ConfigError("this job has no saved batches", { hint: "run it first: runtime start job.ts" });
  }
  const kept = `batches ${oldest.firstBatchId} to ${newest.batchId} are kept`;
  if (asked !== undefined && (asked.from < oldest.firstBatchId || asked.to > newest.batchId || asked.from > asked.to)) {
    const which = asked.from === asked.to ? `batch ${asked.from}` : `batches ${asked.from}..${asked.to}`;
    throw new ConfigError(`${which} cannot be replayed: ${kept}`, {
      hint: `for example --batches ${oldest.firstBatchId}..${newest.batchId}; or --ranges topic:partition:from-until`,
    });
  }
  const chosen = history.filter((batch) => {
    if (asked !== undefined) return batch.batchId >= asked.from && batch.firstBatchId <= asked.to;
    if (sinceMs !== undefined) return (batch.completedAtMs ?? batch.plannedAtMs ?? 0) >= sinceMs;
    throw new ConfigError("which batches? Give batches, ranges or a time");
  });
  if (chosen.length === 0) throw new ConfigError("no batch has completed since then", { hint: kept });
  return chosen;
}

function asBatch(ranges: readonly OffsetRange[], lineageId: string): BatchRecord {
  const sorted = [...ranges].sort(comparePartitions);
  sorted.forEach((range, index) => {
    const next = sorted[index + 1];
    if (next && partitionKey(next) === partitionKey(range)) {
      throw new ConfigError(`two ranges for ${range.topic}:${range.partition}`, {
        hint: "replay them one after the other",
      });
    }
  });
  const unknown = { completedAtMs: undefined, counts: undefined, poison: [], lost: [], positionsBefore: undefined };
  const hash = planHash(lineageId, 0, sorted);
  const ids = { firstBatchId: 0, batchId: 0 };
  return { ...ids, state: "planned", planHash: hash, lineageId, ranges: sorted, plannedAtMs: 0, ...unknown };
}

async function checkStillThere(
  chosen: readonly BatchRecord[],
  reader: SourceReader,
  bounds: readonly PartitionBounds[],
  signal: AbortSignal,
): Promise<void> {
  const gone = chosen.flatMap(({ ranges, lost }) =>
    lostParts(ranges, bounds).filter((part) => !lost.some((known) => formatRange(known) === formatRange(part))),
  );
  if (gone.length > 0) {
    throw new DataLossError(`the log no longer holds what is to be replayed (${gone[0]?.reason})`, gone, {
      hint: "choose later batches: runtime batches job.ts",
    });
  }
  const ends = chosen.flatMap(({ ranges }) =>
    ranges.flatMap(({ topic, partition, untilOffset, untilMark }: OffsetRange & { untilMark?: string }) =>
      untilMark === undefined ? [] : [{ topic, partition, offset: untilOffset, mark: untilMark }],
    ),
  );
  const [other] = await reader.mismatches(ends, signal);
  if (other === undefined) return;
  const { position, reason } = other;
  throw new DataLossError(
    `${position.topic}:${position.partition} at ${position.offset} is not what was read: ${reason}`,
    [],
    {
      hint: "the log was replaced; the rows of then cannot be made again from it",
    },
  );
}

/** Another lineage than the job's own, so that a sink never takes a replayed batch for the live one. */
function replayLineage(lineageId: string): string {
  return createHash("sha256").update(`replay of ${lineageId}`).digest("hex").slice(0, 32);
}
