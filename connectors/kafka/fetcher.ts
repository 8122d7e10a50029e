// Fetches records from partitions' leaders. When nothing comes it finds out why, in this order: the topic is another or
// gone; the offsets are gone; the leader moved or a broker is away. The first two are data loss, with the exact range;
// the last is waited for, within bounds.
import {
  DataLossError,
  type OffsetRange,
  TidemarkError,
  type TopicPartition,
  TransientError,
} from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { formatBroker } from "./connection-options.ts";
import { FetchedRecords } from "./fetched-records.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { Patience } from "./patience.ts";

/** A broker that restarts, or a leader that moves, takes seconds. */
const PATIENCE_MS = 20_000;

export interface FetcherOptions {
  readonly client: KafkaClient;
  readonly readCommitted: boolean;
  readonly fetchMaxBytes: number;
}

/** A topic partition of one topic, whatever other has its name. */
export interface IdentifiedPartition extends TopicPartition {
  readonly topicId: string;
}

/** Records that were fetched. */
export interface Fetched {
  readonly records: FetchedRecords;
  readonly sizeBytes: number;
  /** There is, or was, more to read up to here. */
  readonly availableEnd: number;
}

/** Why a fetch brought nothing. */
type Refusal = "unreachable" | "not-there";

type Attempt = { readonly fetched: Fetched } | { readonly refusal: Refusal; readonly error: TidemarkError };

/** Fetches pieces of partitions. */
export class Fetcher {
  private readonly options: FetcherOptions;

  constructor(options: FetcherOptions) {
    this.options = options;
  }

  /**
   * Fetches the records at `fromOffset` and after it: at least one batch, or what tells that there is none.
   * @throws DataLossError the part of the range that is not there
   * @throws TransientError nothing came for too long
   */
  async fetch(partition: IdentifiedPartition, range: OffsetRange, signal: AbortSignal): Promise<Fetched> {
    const patience = new Patience(PATIENCE_MS);
    let suspicion: string | undefined;
    for (;;) {
      const attempt = await this.attempt(partition, range.fromOffset, signal);
      if ("fetched" in attempt) return attempt.fetched;
      if (!attempt.error.retryable) throw attempt.error;
      const gone = await this.whatIsGone(partition, signal);
      // Said twice: a broker that has just started may not have heard of a new topic.
      if (gone !== undefined && gone === suspicion) throw lost(range, gone);
      suspicion = gone;
      if (attempt.refusal === "not-there") await this.checkOffsets(range, signal);
      await patience.wait(attempt.error, signal);
    }
  }

  /**
   * Fetches once, at most `maxBytes` or one batch; undefined when there is nothing to read at this offset.
   * @throws TransientError it cannot be known now
   */
  async tryFetch(
    partition: IdentifiedPartition,
    fromOffset: bigint,
    signal: AbortSignal,
    maxBytes = this.options.fetchMaxBytes,
  ): Promise<Fetched | undefined> {
    const attempt = await this.attempt(partition, fromOffset, signal, maxBytes);
    if ("fetched" in attempt) return attempt.fetched;
    if (attempt.refusal === "not-there") return undefined;
    throw attempt.error;
  }

  private async attempt(
    partition: IdentifiedPartition,
    fromOffset: bigint,
    signal: AbortSignal,
    maxBytes = this.options.fetchMaxBytes,
  ): Promise<Attempt> {
    const { client, readCommitted } = this.options;
    const { topicId } = partition;
    try {
      const { leader, leaderEpoch } = client.cluster.locate(partition);
      const asked = { topicId, partition: partition.partition, leaderEpoch, fromOffset, maxBytes, readCommitted };
      const { errorCode, bytes, aborted, availableEnd } = await client.fetch(leader, asked, signal);
      if (errorCode !== BrokerError.none) {
        const doing = `read ${partition.topic}:${partition.partition} at ${fromOffset}`;
        return { refusal: refusalOf(errorCode), error: brokerError(errorCode, doing, formatBroker(leader)) };
      }
      const records = new FetchedRecords({
        partition,
        bytes,
        fromOffset: Number(fromOffset),
        aborted: readCommitted ? aborted : undefined,
      });
      if (records.endOffset > Number(fromOffset)) {
        return { fetched: { records, sizeBytes: bytes.length, availableEnd: Number(availableEnd) } };
      }
      return { refusal: "not-there", error: nothingCame(partition, fromOffset, records.isCut) };
    } catch (error) {
      if (error instanceof TidemarkError) return { refusal: "unreachable", error };
      throw error;
    }
  }

  /** What is gone of the topic, or has taken its place, in a few words; undefined when it is there, as far as known. */
  private async whatIsGone(
    { topic, partition, topicId }: IdentifiedPartition,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { client } = this.options;
    await client.refresh([{ topic, partition }], signal);
    const now = client.cluster.topic(topic);
    if (now === undefined) return "the topic was deleted";
    if (now.topicId !== topicId) return "the topic was deleted and created again";
    if (now.partitions[partition] === undefined) return "there is no such partition";
    return undefined;
  }

  /** @throws DataLossError a part of the range is not there; TransientError a transaction in it is still open */
  private async checkOffsets(range: OffsetRange, signal: AbortSignal): Promise<void> {
    const { client, readCommitted } = this.options;
    const ask = async (place: "earliest" | "latest", committed: boolean): Promise<bigint> => {
      const [found] = await client.listOffsets([range], { place, readCommitted: committed, signal });
      return found?.offset ?? -1n;
    };
    const [earliest, latest, end] = await Promise.all([
      ask("earliest", false),
      ask("latest", false),
      ask("latest", readCommitted),
    ]);
    const { fromOffset, untilOffset } = range;
    if (fromOffset < earliest) {
      const untilLost = untilOffset < earliest ? untilOffset : earliest;
      throw lost({ ...range, untilOffset: untilLost }, `the log begins at ${earliest} now`);
    }
    if (untilOffset > latest) {
      const fromLost = fromOffset > latest ? fromOffset : latest;
      throw lost({ ...range, fromOffset: fromLost }, `the log ends at ${latest}`);
    }
    if (fromOffset >= end) {
      throw new TransientError(
        `${range.topic}:${range.partition}:${fromOffset} is in a transaction that is still open`,
        {
          code: "KAFKA_OPEN_TRANSACTION",
          hint: "wait for its producer, or find it: kafka-transactions find-hanging",
        },
      );
    }
  }
}

function refusalOf(errorCode: number): Refusal {
  return errorCode === BrokerError.offsetOutOfRange ? "not-there" : "unreachable";
}

function nothingCame({ topic, partition }: TopicPartition, offset: bigint, isCut: boolean): TransientError {
  const what = isCut ? "a batch that is not whole" : "nothing";
  return new TransientError(`Kafka answers a fetch of ${topic}:${partition} at ${offset} with ${what}`);
}

function lost({ topic, partition, fromOffset, untilOffset }: OffsetRange, why: string): DataLossError {
  const part = { topic, partition, fromOffset, untilOffset };
  return new DataLossError(`Kafka no longer has a part of ${topic}:${partition}, ${why}`, [part], {
    hint: "set failOnDataLoss: false to go on without it, or move the job: runtime reset job.ts --to-earliest",
  });
}
