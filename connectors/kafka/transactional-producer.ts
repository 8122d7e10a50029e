// A producer with a transactional id: one transaction at a time, and every batch of records numbered, so that brokers
// tell an older producer of the same id from this one. It never repeats records: after any failure it is used up, and
// the next one, which shuts this one out, begins anew. Going on after a lost reply can tear transactions apart (Jepsen
// on Bufstream, 2024). A consumer group's offsets can be part of the transaction.
import {
  OutcomeUnknownError,
  partitionKey,
  TidemarkError,
  type TopicPartition,
  TransientError,
} from "../../runtime/index.ts";
import { abortable, pause } from "./abortable.ts";
import type { KafkaClient } from "./client.ts";
import type { Codec } from "./compress.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError } from "./kafka-errors.ts";
import { addPartitionsToTxnV3, initProducerIdV4 } from "./library.ts";
import { ProduceQueue } from "./produce-queue.ts";
import { isRepeatable, mayBeTimeout, refusedTransaction, timedOut, WriteError } from "./producer-errors.ts";
import type { RecordBatchWriter } from "./record-batch-writer.ts";
import { type GroupOffsets, sendGroupOffsets } from "./transaction-offsets.ts";
import {
  brokersAddPartitions,
  endAndRenewApi,
  endApi,
  type ProducerIdentity,
  transactionCoordinator,
} from "./transaction-requests.ts";

/** An older transaction is ended first, and a coordinator that restarts takes seconds. */
const PATIENCE_MS = 30_000;
/** Ending a transaction goes on for some ms after the broker has said that it will be done. */
const PAUSE_MS = 10;
/** The broker then makes a new identity, and ends what an older producer of the same id has open. */
const NEW_PRODUCER = { producerId: -1n, producerEpoch: -1 } as const;
const MAX_SEQUENCE = 2 ** 31;

export interface ProducerOptions {
  readonly client: KafkaClient;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  /** For the replicas to have a batch. */
  readonly produceTimeoutMs: number;
  /** false: add partitions to transactions explicitly, whatever the brokers can do. */
  readonly brokersMayAddPartitions: boolean;
}

/** Records for one partition, to be framed when they are sent. */
export interface PendingBatch extends TopicPartition {
  readonly records: RecordBatchWriter;
  readonly codec: Codec;
}

/** An open producer. */
export class TransactionalProducer {
  private readonly options: ProducerOptions;
  private readonly addsPartitions: boolean;
  private readonly queue: ProduceQueue;
  private readonly sequences = new Map<string, number>();
  private readonly added = new Set<string>();
  private identity: ProducerIdentity;
  private coordinator: BrokerAddress;
  private beganMs: number | undefined;
  private failure: TidemarkError | undefined;
  /** What was called to send something, and is not over. */
  private readonly sending = new Set<Promise<void>>();
  /** How many transactions were given up: what was to be in one of them is not sent in another. */
  private aborts = 0;

  private constructor(options: ProducerOptions, opened: OpenedProducer) {
    this.options = options;
    this.coordinator = opened.coordinator;
    this.identity = opened.identity;
    this.addsPartitions = !opened.brokersAddPartitions;
    const { client } = options;
    const { brokersAddPartitions } = opened;
    this.queue = new ProduceQueue(client, brokersAddPartitions);
  }

  /**
   * Shuts out every older producer of this id and ends its transaction: when this resolves, nothing of theirs can
   * become visible any more.
   * @throws ConfigError not allowed, or the timeout is longer than the brokers allow
   * @throws TransientError
   */
  static async open(options: ProducerOptions, signal: AbortSignal): Promise<TransactionalProducer> {
    const { client, transactionalId, transactionTimeoutMs } = options;
    const beganMs = performance.now();
    for (;;) {
      const coordinator = await transactionCoordinator(client, transactionalId, signal);
      const { producerId, producerEpoch } = NEW_PRODUCER;
      const answer = await client.call(
        coordinator,
        initProducerIdV4.api,
        [transactionalId, transactionTimeoutMs, producerId, producerEpoch],
        signal,
      );
      if (answer.errorCode === BrokerError.none) {
        const canAdd = options.brokersMayAddPartitions && (await brokersAddPartitions(client, coordinator, signal));
        return new TransactionalProducer(options, { coordinator, identity: answer, brokersAddPartitions: canAdd });
      }
      const broker = formatBroker(coordinator);
      const { errorCode } = answer;
      const failure = refusedTransaction({ errorCode, doing: "register the producer", transactionalId, broker });
      if (!isRepeatable(errorCode)) throw failure;
      await waitToRepeat(failure, beganMs, signal);
    }
  }

  /** Whether something went wrong since this was opened. */
  get isUsedUp(): boolean {
    return this.failure !== undefined || this.queue.failure !== undefined;
  }

  /** @throws what went wrong since this was opened: open another one then */
  throwIfFailed(): void {
    this.failure ??= this.explained(this.queue.failure, this.queue.mayHaveTimedOut);
    if (this.failure !== undefined) throw this.failure;
  }

  /**
   * Sends batches in order; begins the transaction if none is open. Resolves when they are on their way, which waits
   * for earlier ones when there are many.
   * @param batches at most one for each partition
   * @throws whatever went wrong, with these or with earlier ones; also when the transaction is aborted meanwhile
   */
  send(batches: readonly PendingBatch[], signal: AbortSignal): Promise<void> {
    return this.inTransaction(() => this.sendAll(batches, signal));
  }

  private async sendAll(batches: readonly PendingBatch[], signal: AbortSignal): Promise<void> {
    const { aborts } = this;
    if (this.addsPartitions) await this.addPartitions(batches, signal).catch((error) => this.fail(error));
    const { client, transactionalId, produceTimeoutMs } = this.options;
    for (const [leader, of] of byLeader(client, batches)) {
      await this.queue.room(leader, of, signal);
      this.throwIfFailed();
      if (aborts !== this.aborts) throw new Error("the transaction was aborted before its records were sent");
      const framed = of.map(({ topic, partition, records, codec }) => {
        return {
          topic,
          partition,
          bytes: records.finish(codec, this.stamp({ topic, partition }, records.recordCount)),
        };
      });
      this.queue.push(leader, { transactionalId, timeoutMs: produceTimeoutMs, batches: framed });
    }
  }

  /**
   * Makes a group's offsets part of the transaction; begins one if none is open. Offsets of topics that are not there
   * are left out.
   * @throws whatever went wrong, with these or with earlier ones
   */
  sendOffsets(offsets: GroupOffsets, signal: AbortSignal): Promise<void> {
    return this.inTransaction(async () => {
      const { client, transactionalId } = this.options;
      const { identity, coordinator, addsPartitions } = this;
      const transaction = { client, transactionalId, ...identity, coordinator, addsPartitions };
      await sendGroupOffsets(transaction, offsets, signal).catch((error) => this.fail(error));
    });
  }

  /** Waits until everything that was sent has been answered. @throws what went wrong */
  async settled(signal: AbortSignal): Promise<void> {
    await this.queue.settled(signal);
    this.throwIfFailed();
  }

  /**
   * Commits the transaction; does nothing when none was begun.
   * @throws OutcomeUnknownError the answer was lost
   * @throws TransientError it was not committed
   */
  async commit(signal: AbortSignal): Promise<void> {
    if (this.beganMs === undefined) return;
    await this.settled(signal);
    await this.end("commit", signal);
  }

  /**
   * Throws the transaction's records away, if they are not visible by now; what still waits to be sent is not sent any
   * more. Where that cannot be said to the broker, the next producer of this id or the transaction's timeout does it.
   * Does nothing when none was begun.
   */
  async abort(signal: AbortSignal): Promise<void> {
    if (this.beganMs === undefined) return;
    this.aborts++;
    // Nothing may come to the broker after the end: it would begin another transaction, or be in the next one.
    await abortable(Promise.allSettled(this.sending), signal).catch((error) => this.fail(error));
    await this.queue.settled(signal).catch((error) => this.fail(error));
    // Records that are still under way somewhere must not find the transaction ended.
    if (this.failure instanceof OutcomeUnknownError || this.queue.hasLostAnswer) return;
    await this.end("abort", signal);
  }

  /** Begins the transaction if none is open. */
  private async inTransaction(send: () => Promise<void>): Promise<void> {
    this.throwIfFailed();
    this.beganMs ??= performance.now();
    const sending = send();
    this.sending.add(sending);
    try {
      await sending;
    } finally {
      this.sending.delete(sending);
    }
  }

  private async end(how: "commit" | "abort", signal: AbortSignal): Promise<void> {
    const { transactionalId } = this.options;
    const beganMs = performance.now();
    let mayHaveEnded = false;
    try {
      for (;;) {
        const errorCode = await this.askToEnd(how, signal);
        if (errorCode === BrokerError.none) return;
        const broker = formatBroker(this.coordinator);
        const failure = refusedTransaction({ errorCode, doing: `${how} a transaction`, transactionalId, broker });
        if (!isRepeatable(errorCode)) {
          if (mayHaveEnded || errorCode === WriteError.unknownServerError) throw failure;
          this.failure ??= this.explained(failure, mayBeTimeout(errorCode));
          throw this.failure;
        }
        // Said as well when the coordinator has written the end, and does not know whether its replicas have it.
        mayHaveEnded ||= errorCode === WriteError.coordinatorNotAvailable;
        await waitToRepeat(failure, beganMs, signal);
        this.coordinator = await transactionCoordinator(this.options.client, transactionalId, signal);
      }
    } catch (cause) {
      this.failure ??= new OutcomeUnknownError(`whether the transaction was ended (${how}) is not known`, { cause });
      throw this.failure;
    }
  }

  private async askToEnd(how: "commit" | "abort", signal: AbortSignal): Promise<number> {
    const { client, transactionalId } = this.options;
    const { producerId, producerEpoch } = this.identity;
    const api = this.addsPartitions ? endApi : endAndRenewApi;
    const request = [transactionalId, producerId, producerEpoch, how === "commit"] as const;
    const { errorCode, next } = await client.call(this.coordinator, api, [...request], signal);
    if (errorCode !== BrokerError.none) return errorCode;
    if (next !== undefined) {
      this.identity = next;
      this.sequences.clear();
    }
    this.beganMs = undefined;
    this.added.clear();
    this.queue.reset();
    return errorCode;
  }

  /** Adds partitions to the transaction that are not in it yet. */
  private async addPartitions(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const missing = partitions.filter((partition) => !this.added.has(partitionKey(partition)));
    const { client, transactionalId } = this.options;
    const beganMs = performance.now();
    const topics = [...Map.groupBy(missing, ({ topic }) => topic)].map(([name, of]) => {
      return { name, partitions: of.map(({ partition }) => partition) };
    });
    while (missing.length > 0) {
      const request = [{ transactionalId, ...this.identity, verifyOnly: false, topics }];
      const answer = await client.call(this.coordinator, addPartitionsToTxnV3.api, [request], signal);
      const results = answer.resultsByTransaction.flatMap(({ topicResults }) =>
        topicResults.flatMap(({ resultsByPartition }) => resultsByPartition),
      );
      const errorCode = results.find(({ partitionErrorCode }) => partitionErrorCode !== 0)?.partitionErrorCode ?? 0;
      if (errorCode === BrokerError.none) break;
      const broker = formatBroker(this.coordinator);
      const doing = "add partitions to the transaction";
      const failure = refusedTransaction({ errorCode, doing, transactionalId, broker });
      if (!isRepeatable(errorCode)) throw this.explained(failure, mayBeTimeout(errorCode));
      await waitToRepeat(failure, beganMs, signal);
      this.coordinator = await transactionCoordinator(client, transactionalId, signal);
    }
    for (const partition of missing) this.added.add(partitionKey(partition));
  }

  /** What failed may be carried out later: this producer is used up. */
  private fail(error: unknown): never {
    this.failure ??=
      error instanceof TidemarkError ? error : new TransientError("the transaction was given up", { cause: error });
    throw error;
  }

  private stamp(partition: TopicPartition, recordCount: number) {
    const key = partitionKey(partition);
    const baseSequence = this.sequences.get(key) ?? 0;
    this.sequences.set(key, (baseSequence + recordCount) % MAX_SEQUENCE);
    return { ...this.identity, baseSequence, timestamp: Date.now() };
  }

  /** A refusal that comes from a transaction that was open for too long says so. */
  private explained(failure: TidemarkError | undefined, mayHaveTimedOut: boolean): TidemarkError | undefined {
    const { transactionTimeoutMs } = this.options;
    const openMs = this.beganMs === undefined ? 0 : performance.now() - this.beganMs;
    return mayHaveTimedOut && openMs >= transactionTimeoutMs
      ? timedOut(openMs, transactionTimeoutMs, failure)
      : failure;
  }
}

interface OpenedProducer {
  readonly coordinator: BrokerAddress;
  readonly identity: ProducerIdentity;
  readonly brokersAddPartitions: boolean;
}

/** @throws failure after too long a time; the signal's reason */
async function waitToRepeat(failure: TidemarkError, beganMs: number, signal: AbortSignal): Promise<void> {
  if (performance.now() - beganMs > PATIENCE_MS) throw failure;
  await pause(PAUSE_MS, signal);
}

function byLeader(
  { cluster }: KafkaClient,
  batches: readonly PendingBatch[],
): Iterable<readonly [BrokerAddress, readonly PendingBatch[]]> {
  const leaders = new Map<string, readonly [BrokerAddress, PendingBatch[]]>();
  for (const batch of batches) {
    const { leader } = cluster.locate(batch);
    const address = formatBroker(leader);
    const group = leaders.get(address) ?? ([leader, []] as const);
    group[1].push(batch);
    leaders.set(address, group);
  }
  return leaders.values();
}
