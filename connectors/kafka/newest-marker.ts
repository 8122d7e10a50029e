// Finds the newest marker of one key. It reads to the log's very end, beyond transactions of others that are still
// open: waiting for those could take minutes, and stopping at them could miss a marker. Which transactions were aborted
// it sees by itself, from the markers that the broker puts into the log. Those of this key have all ended, for their
// producer was shut out before, so one that was not aborted was committed.
import { CheckpointCorruptError, type TopicPartition, TransientError } from "../../runtime/index.ts";
import { BatchRecords } from "./batch-records.ts";
import type { KafkaClient } from "./client.ts";
import { formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { type BatchHeader, readBatchHeader } from "./record-batch.ts";

const FETCH_MAX_BYTES = 4 * 1024 * 1024;
const ABORT_MARKER = 0;

/**
 * The value of the newest record with this key that was committed; undefined when there is none.
 * Call it only after the key's own producer was shut out.
 * @throws TransientError the log cannot be read now
 */
export async function newestWithKey(
  client: KafkaClient,
  partition: TopicPartition,
  key: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const [earliest, latest] = await Promise.all([
    offsetOf(client, partition, "earliest", signal),
    offsetOf(client, partition, "latest", signal),
  ]);
  const search = new Search(partition, Buffer.from(key));
  for (let next = earliest; next < latest; ) {
    const bytes = await fetch(client, partition, next, signal);
    const end = search.look(bytes, next);
    if (end === next) throw new TransientError(`Kafka answers a fetch of ${partition.topic} at ${next} with nothing`);
    next = end;
  }
  return search.newest;
}

async function offsetOf(
  client: KafkaClient,
  partition: TopicPartition,
  place: "earliest" | "latest",
  signal: AbortSignal,
): Promise<number> {
  const [found] = await client.listOffsets([partition], { place, readCommitted: false, signal });
  return Number(found?.offset ?? 0n);
}

async function fetch(client: KafkaClient, at: TopicPartition, offset: number, signal: AbortSignal): Promise<Buffer> {
  const { leader, leaderEpoch, topicId, topic, partition } = client.cluster.locate(at);
  const asked = { topicId, partition, leaderEpoch, fromOffset: BigInt(offset), maxBytes: FETCH_MAX_BYTES };
  const { errorCode, bytes } = await client.fetch(leader, { ...asked, readCommitted: false }, signal);
  if (errorCode === BrokerError.none) return bytes;
  throw brokerError(errorCode, `read ${topic}:${partition} at ${offset}`, formatBroker(leader));
}

/** Looks through a log in its order. */
class Search {
  private readonly partition: TopicPartition;
  private readonly key: Buffer;
  private committed: Buffer | undefined;
  /** The newest found: its transaction may still turn out to have been aborted. */
  private last: { readonly producerId: bigint; readonly value: Buffer } | undefined;

  constructor(partition: TopicPartition, key: Buffer) {
    this.partition = partition;
    this.key = key;
  }

  get newest(): Buffer | undefined {
    return this.last?.value ?? this.committed;
  }

  /** @returns the offset after the last whole batch in these bytes; `from` when there is none */
  look(bytes: Buffer, from: number): number {
    let end = from;
    for (let at = 0; ; ) {
      const batch = readBatchHeader(bytes, at, this.partition);
      if (batch === undefined) return end;
      this.lookAt(bytes, batch, from);
      end = Math.max(end, batch.lastOffset + 1);
      at = batch.end;
    }
  }

  private lookAt(bytes: Buffer, batch: BatchHeader, from: number): void {
    const { producerId, isControl } = batch;
    const budget = { records: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
    const add = (
      buffer: Buffer,
      offset: bigint,
      _timestamp: number,
      valueStart: number,
      valueEnd: number,
      keyStart: number,
      keyEnd: number,
    ) => {
      const key = buffer.subarray(Math.max(0, keyStart), Math.max(0, keyEnd));
      if (isControl) this.ended(producerId, key);
      else if (key.equals(this.key)) this.found(producerId, offset, buffer.subarray(valueStart, valueEnd));
    };
    new BatchRecords(bytes, batch, this.partition).offer({ add }, from, Number.POSITIVE_INFINITY, budget);
  }

  private found(producerId: bigint, offset: bigint, value: Buffer): void {
    const { topic, partition } = this.partition;
    if (value.length === 0) throw new CheckpointCorruptError(`the marker at ${topic}:${partition}:${offset} is empty`);
    this.committed = this.newest;
    this.last = { producerId, value: Buffer.from(value) };
  }

  /** A transaction's end; its key is two int16: a version and the kind of end. */
  private ended(producerId: bigint, key: Buffer): void {
    if (this.last?.producerId !== producerId) return;
    const wasAborted = key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER;
    if (!wasAborted) this.committed = this.last.value;
    this.last = undefined;
  }
}
