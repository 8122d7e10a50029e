// Finds the newest marker of one key. It reads to the log's very end, beyond transactions of others that are still
// open: waiting for those could take minutes, and stopping at them could miss a marker. Which transactions were aborted
// it sees by itself, from the markers that the broker puts into the log. Those of this key have all ended, for their
// producer was shut out before, so one that was not aborted was committed.
import { CheckpointCorruptError, type TopicPartition } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { type RawLogRecord, type RawLogVisitor, rawLogEnd, readRawLog } from "./raw-log.ts";

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
  const [from, until] = await Promise.all([
    rawLogEnd(client, partition, "earliest", signal),
    rawLogEnd(client, partition, "latest", signal),
  ]);
  const search = new Search(partition, Buffer.from(key));
  await readRawLog(client, partition, { from, until, signal }, search);
  return search.newest;
}

/** Looks through a log in its order. */
class Search implements RawLogVisitor {
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

  record({ producerId, offset, key, value }: RawLogRecord): void {
    if (!key.equals(this.key)) return;
    const { topic, partition } = this.partition;
    if (value === undefined || value.length === 0) {
      throw new CheckpointCorruptError(`the marker at ${topic}:${partition}:${offset} is empty`);
    }
    this.committed = this.newest;
    this.last = { producerId, value: Buffer.from(value) };
  }

  ended(producerId: bigint, how: "commit" | "abort"): void {
    if (this.last?.producerId !== producerId) return;
    if (how === "commit") this.committed = this.last.value;
    this.last = undefined;
  }
}
