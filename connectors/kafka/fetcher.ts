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
import type { FetchAnswer } from "./fetch-request.ts";
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

/** A fetch that is wanted, of at most `maxBytes` or one batch. */
export interface WantedFetch {
  readonly partition: IdentifiedPartition;
  readonly fromOffset: number;
  readonly maxBytes: number;
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
  async fetch(
    partition: IdentifiedPartition,
    range: OffsetRange,
    signal: AbortSignal,
    maxBytes = this.options.fetchMaxBytes,
  ): Promise<Fetched> {
    const patience = new Patience(PATIENCE_MS);
    let suspicion: string | undefined;
    for (;;) {
      const attempt = await this.attempt(partition, range.fromOffset, signal, maxBytes);
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

  /**
   * Fetches once from several partitions, in one request a leader: what each brought, in order; undefined where nothing
   * came, for whatever reason. Never rejects but for the signal's reason.
   */
  async tryFetchAll(wanted: readonly WantedFetch[], signal: AbortSignal): Promise<readonly (Fetched | undefined)[]> {
    const { client } = this.options;
    const groups = Map.groupBy(wanted, ({ partition }) => {
      const leader = client.cluster.partition(partition)?.leader;
      return leader === undefined ? "" : formatBroker(leader);
    });
    const brought = new Map<WantedFetch, Fetched | undefined>();
    await Promise.all([...groups.values()].map((of) => this.tryFetchFromOne(of, brought, signal)));
    return wanted.map((each) => brought.get(each));
  }

  private async tryFetchFromOne(
    wanted: readonly WantedFetch[],
    brought: Map<WantedFetch, Fetched | undefined>,
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.options;
    try {
      const asked = wanted.map(({ partition, fromOffset, maxBytes }) =>
        this.asked(partition, BigInt(fromOffset), maxBytes),
      );
      const [first] = asked;
      if (first === undefined) return;
      for (const answer of await client.fetchAll(first.leader, asked, signal)) {
        const at = asked.findIndex((each) => each.topicId === answer.topicId && each.partition === answer.partition);
        const of = wanted[at];
        if (of === undefined || answer.errorCode !== BrokerError.none) continue;
        const fetched = this.fetchedOf(of.partition, of.fromOffset, answer);
        if (fetched.records.endOffset > of.fromOffset) brought.set(of, fetched);
      }
    } catch (error) {
      // Why it failed is found out by the fetch that must not fail.
      if (!(error instanceof TidemarkError)) throw error;
    }
  }

  private async attempt(
    partition: IdentifiedPartition,
    fromOffset: bigint,
    signal: AbortSignal,
    maxBytes = this.options.fetchMaxBytes,
  ): Promise<Attempt> {
    const { client } = this.options;
    try {
      const asked = this.asked(partition, fromOffset, maxBytes);
      const answer = await client.fetch(asked.leader, asked, signal);
      if (answer.errorCode !== BrokerError.none) {
        const doing = `read ${partition.topic}:${partition.partition} at ${fromOffset}`;
        const error = brokerError(answer.errorCode, doing, formatBroker(asked.leader));
        return { refusal: refusalOf(answer.errorCode), error };
      }
      const fetched = this.fetchedOf(partition, Number(fromOffset), answer);
      if (fetched.records.endOffset > Number(fromOffset)) return { fetched };
      return { refusal: "not-there", error: nothingCame(partition, fromOffset, fetched.records.isCut) };
    } catch (error) {
      if (error instanceof TidemarkError) return { refusal: "unreachable", error };
      throw error;
    }
  }

  /** @throws TransientError the partition has no leader now */
  private asked(partition: IdentifiedPartition, fromOffset: bigint, maxBytes: number) {
    const { client, readCommitted } = this.options;
    const { leader, leaderEpoch } = client.cluster.locate(partition);
    const { topicId } = partition;
    return { leader, topicId, partition: partition.partition, leaderEpoch, fromOffset, maxBytes, readCommitted };
  }

  /** @throws TransientError a batch cannot be right; ConfigError its format is too old */
  private fetchedOf(
    partition: IdentifiedPartition,
    fromOffset: number,
    { bytes, aborted, highWatermark, lastStableOffset }: FetchAnswer,
  ): Fetched {
    const { readCommitted } = this.options;
    const records = new FetchedRecords({
      partition,
      bytes,
      fromOffset,
      aborted: readCommitted ? aborted : undefined,
    });
    const availableEnd = readCommitted ? lastStableOffset : highWatermark;
    return { records, sizeBytes: bytes.length, availableEnd: Number(availableEnd) };
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
