// Reads a partition's log as it lies there, up to a given offset: records of transactions that are open or were aborted
// among the others, and the control records that say how transactions ended. Whoever reads decides what counts. So a
// transaction of somebody else that stays open holds nothing up, as it would under read_committed.
import { type Header, type RecordParts, type TopicPartition, TransientError } from "../../runtime/index.ts";
import { BatchRecords } from "./batch-records.ts";
import type { KafkaClient } from "./client.ts";
import { formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { Patience } from "./patience.ts";
import { type BatchHeader, readBatchHeader } from "./record-batch.ts";

const FETCH_MAX_BYTES = 4 * 1024 * 1024;
const ABORT_MARKER = 0;
/** A broker that restarts, or a leader that moves, takes seconds. */
const PATIENCE_MS = 15_000;
/** The code of the error that says that these offsets are not in the log. */
export const OUT_OF_RANGE = "KAFKA_OFFSET_OUT_OF_RANGE";
const NO_KEY = Buffer.alloc(0);
const EVERYTHING = Number.POSITIVE_INFINITY;

/** A record, in bytes that are valid during the call. */
export interface RawLogRecord {
  readonly offset: number;
  readonly producerId: bigint;
  /** Counts only when its producer's next end is a commit. */
  readonly isTransactional: boolean;
  /** Empty when it has none. */
  readonly key: Buffer;
  /** undefined: a tombstone. */
  readonly value: Buffer | undefined;
  readonly headers: readonly Header[];
}

/** Told what is in a log, in its order. */
export interface RawLogVisitor {
  record(record: RawLogRecord): void;
  /** The transaction that this producer had open has ended. */
  ended(producerId: bigint, how: "commit" | "abort"): void;
}

export interface RawLogRange {
  /** Inclusive. */
  readonly from: number;
  /** Exclusive; at most the log's end. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/** Where a log begins and ends now, uncommitted records included. @throws TransientError, ConfigError */
export async function rawLogEnd(
  client: KafkaClient,
  partition: TopicPartition,
  place: "earliest" | "latest",
  signal: AbortSignal,
): Promise<number> {
  const [found] = await client.listOffsets([partition], { place, readCommitted: false, signal });
  return Number(found?.offset ?? 0n);
}

/**
 * Reads a range. A batch that begins in it is read as a whole.
 * @returns the offset after the last batch: `until`, or more
 * @throws TransientError the log cannot be read now, or these offsets are not in it
 * @throws ConfigError not allowed
 */
export async function readRawLog(
  client: KafkaClient,
  partition: TopicPartition,
  { from, until, signal }: RawLogRange,
  visitor: RawLogVisitor,
): Promise<number> {
  let next = from;
  while (next < until) {
    const bytes = await fetch(client, partition, next, signal);
    const end = visitBatches(bytes, next, partition, visitor);
    if (end === next) throw new TransientError(`Kafka answers a fetch of ${partition.topic} at ${next} with nothing`);
    next = end;
  }
  return next;
}

/** The bytes from an offset on; a leader that has moved is looked for. */
async function fetch(client: KafkaClient, at: TopicPartition, offset: number, signal: AbortSignal): Promise<Buffer> {
  const patience = new Patience(PATIENCE_MS);
  for (;;) {
    try {
      const { leader, leaderEpoch, topicId, topic, partition } = client.cluster.locate(at);
      const asked = { topicId, partition, leaderEpoch, fromOffset: BigInt(offset), maxBytes: FETCH_MAX_BYTES };
      const { errorCode, bytes } = await client.fetch(leader, { ...asked, readCommitted: false }, signal);
      if (errorCode === BrokerError.none) return bytes;
      throw brokerError(errorCode, `read ${topic}:${partition} at ${offset}`, formatBroker(leader));
    } catch (error) {
      if (!(error instanceof TransientError) || error.code === OUT_OF_RANGE) throw error;
      await patience.wait(error, signal);
    }
    await client.refresh([at], signal);
  }
}

/** @returns the offset after the last whole batch in these bytes; `from` when there is none */
function visitBatches(bytes: Buffer, from: number, partition: TopicPartition, visitor: RawLogVisitor): number {
  let end = from;
  for (let at = 0; ; ) {
    const batch = readBatchHeader(bytes, at, partition);
    if (batch === undefined) return end;
    visitBatch(bytes, batch, from, partition, visitor);
    end = Math.max(end, batch.lastOffset + 1);
    at = batch.end;
  }
}

function visitBatch(
  bytes: Buffer,
  batch: BatchHeader,
  from: number,
  partition: TopicPartition,
  visitor: RawLogVisitor,
): void {
  const { producerId, isControl, isTransactional } = batch;
  const add = (
    buffer: Buffer,
    offset: number,
    _timestamp: number,
    valueStart: number,
    valueEnd: number,
    keyStart: number,
    keyEnd: number,
    parts: RecordParts,
    at: number,
  ) => {
    const key = keyStart < 0 ? NO_KEY : buffer.subarray(keyStart, keyEnd);
    if (isControl) {
      visitor.ended(producerId, isAbort(key) ? "abort" : "commit");
      return;
    }
    const value = valueStart < 0 ? undefined : buffer.subarray(valueStart, valueEnd);
    visitor.record({ offset, producerId, isTransactional, key, value, headers: parts.headers(at) });
  };
  const budget = { records: EVERYTHING, bytes: EVERYTHING };
  new BatchRecords(bytes, batch, partition).offer({ add }, from, EVERYTHING, budget);
}

/** A control record's key is two int16: a version and the kind of end. */
function isAbort(key: Buffer): boolean {
  return key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER;
}
