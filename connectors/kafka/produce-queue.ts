// Produce requests on their way: to each broker at most five, in order, as the protocol allows for numbered batches.
// The first failure is kept; whether every request was answered decides if the transaction can still be ended in good
// order. One answer is no failure: that the producer's last transaction is still being ended. What a broker refused for
// that reason is sent again; nothing may follow it to its partition before, or the numbers would not be in order.
import { partitionKey, TidemarkError, type TopicPartition, TransientError } from "../../runtime/index.ts";
import { abortable, pause } from "./abortable.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError } from "./kafka-errors.ts";
import {
  answersOf,
  type FramedBatch,
  type ProduceAnswer,
  type ProduceRequest,
  produceAndAddApi,
  produceApi,
} from "./produce-request.ts";
import { mayBeTimeout, refusedBatch, WriteError } from "./producer-errors.ts";

/** Brokers remember the numbers of so many batches of a partition (KIP-98). */
const MAX_UNDER_WAY = 5;
/** For the end of the last transaction, on top of the broker's own patience. */
const PATIENCE_MS = 30_000;
/**
 * Doubled each time: all records are sent again, and a first transaction over 1,000 partitions takes seconds to end.
 */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 320;

/** Sends requests; never rejects for them: see `failure`. */
export class ProduceQueue {
  /** The first thing that went wrong. */
  failure: TidemarkError | undefined;
  /** Whether that may come from a transaction that was open for too long. */
  mayHaveTimedOut = false;
  /** true: an answer was lost, so that records may still be written later. */
  hasLostAnswer = false;
  private readonly client: KafkaClient;
  private readonly brokersAddPartitions: boolean;
  /** Never aborted: a request that was sent is waited for, or fails with its connection. */
  private readonly signal = new AbortController().signal;
  private readonly underWay = new Map<string, Set<Promise<void>>>();
  /** The first request of each partition in this transaction, which the broker may refuse for the time being. */
  private readonly first = new Map<string, Promise<void>>();

  constructor(client: KafkaClient, brokersAddPartitions: boolean) {
    this.client = client;
    this.brokersAddPartitions = brokersAddPartitions;
  }

  /** Waits until a request for these partitions may be sent to their leader. @throws the signal's reason */
  async room(leader: BrokerAddress, partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const before = partitions.map((partition) => this.first.get(partitionKey(partition)));
    await abortable(Promise.all(before), signal);
    const requests = this.requestsTo(leader);
    while (requests.size >= MAX_UNDER_WAY) await abortable(Promise.race(requests), signal);
  }

  /** Sends a request; call it only when there is room. */
  push(leader: BrokerAddress, request: ProduceRequest): void {
    const requests = this.requestsTo(leader);
    const sent: Promise<void> = this.send(leader, request).finally(() => requests.delete(sent));
    requests.add(sent);
    if (!this.brokersAddPartitions) return;
    for (const batch of request.batches) {
      if (!this.first.has(partitionKey(batch))) this.first.set(partitionKey(batch), sent);
    }
  }

  /** Waits until every request has been answered, or failed. @throws the signal's reason */
  async settled(signal: AbortSignal): Promise<void> {
    const all = [...this.underWay.values()].flatMap((requests) => [...requests]);
    await abortable(Promise.all(all), signal);
  }

  /** The transaction has ended. */
  reset(): void {
    this.first.clear();
  }

  private async send(leader: BrokerAddress, request: ProduceRequest): Promise<void> {
    const api = this.brokersAddPartitions ? produceAndAddApi : produceApi;
    const beganMs = performance.now();
    let { batches } = request;
    let pauseMs = FIRST_PAUSE_MS;
    try {
      while (batches.length > 0) {
        const response = await this.client.call(leader, api, [{ ...request, batches }], this.signal);
        const answers = answersOf(response);
        const isPatient = performance.now() - beganMs < PATIENCE_MS;
        const refused = answers.filter((answer) => isPatient && canBeRepeated(answer));
        this.look(
          answers.filter((answer) => !refused.includes(answer)),
          leader,
        );
        batches = batches.filter((batch) => refused.some((answer) => isSame(answer, batch)));
        if (batches.length > 0) await pause(pauseMs, this.signal);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    } catch (error) {
      this.hasLostAnswer = true;
      this.failure ??=
        error instanceof TidemarkError ? error : new TransientError("writing was given up", { cause: error });
    }
  }

  private look(answers: readonly ProduceAnswer[], leader: BrokerAddress): void {
    for (const answer of answers) {
      if (answer.errorCode === BrokerError.none || this.failure !== undefined) continue;
      this.mayHaveTimedOut = mayBeTimeout(answer.errorCode);
      this.failure = refusedBatch({ ...answer, broker: formatBroker(leader) });
    }
  }

  private requestsTo(leader: BrokerAddress): Set<Promise<void>> {
    const address = formatBroker(leader);
    const known = this.underWay.get(address) ?? new Set();
    this.underWay.set(address, known);
    return known;
  }
}

function canBeRepeated({ errorCode }: ProduceAnswer): boolean {
  return errorCode === WriteError.concurrentTransactions;
}

function isSame(a: TopicPartition, b: FramedBatch): boolean {
  return a.topic === b.topic && a.partition === b.partition;
}
