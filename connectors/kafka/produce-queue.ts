// Produce requests on their way: to each broker at most five, in order, as the protocol allows for numbered batches. The
// first failure is kept; whether every request was answered decides if the transaction can still be ended in good order.
import { TidemarkError, TransientError } from "../../runtime/index.ts";
import { abortable } from "./abortable.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError } from "./kafka-errors.ts";
import { answersOf, type ProduceRequest, produceAndAddApi, produceApi } from "./produce-request.ts";
import { mayBeTimeout, refusedBatch } from "./producer-errors.ts";

/** Brokers remember the numbers of so many batches of a partition (KIP-98). */
const MAX_UNDER_WAY = 5;

/** Sends requests; never rejects for them: see `failure`. */
export class ProduceQueue {
  /** The first thing that went wrong. */
  failure: TidemarkError | undefined;
  /** Whether that may come from a transaction that was open for too long. */
  mayHaveTimedOut = false;
  /** true: an answer was lost, so that records may still be written later. */
  hasLostAnswer = false;
  private readonly client: KafkaClient;
  private readonly api: typeof produceApi;
  /** Never aborted: a request that was sent is waited for, or fails with its connection. */
  private readonly signal = new AbortController().signal;
  private readonly underWay = new Map<string, Set<Promise<void>>>();

  constructor(client: KafkaClient, brokersAddPartitions: boolean) {
    this.client = client;
    this.api = brokersAddPartitions ? produceAndAddApi : produceApi;
  }

  /** Waits until a request may be sent to a broker. @throws the signal's reason */
  async room(leader: BrokerAddress, signal: AbortSignal): Promise<void> {
    const requests = this.requestsTo(leader);
    while (requests.size >= MAX_UNDER_WAY) await abortable(Promise.race(requests), signal);
  }

  /** Sends a request; call it only when there is room. */
  push(leader: BrokerAddress, request: ProduceRequest): void {
    const requests = this.requestsTo(leader);
    const sent: Promise<void> = this.send(leader, request).finally(() => requests.delete(sent));
    requests.add(sent);
  }

  /** Waits until every request has been answered, or failed. @throws the signal's reason */
  async settled(signal: AbortSignal): Promise<void> {
    const all = [...this.underWay.values()].flatMap((requests) => [...requests]);
    await abortable(Promise.all(all), signal);
  }

  private async send(leader: BrokerAddress, request: ProduceRequest): Promise<void> {
    try {
      const response = await this.client.call(leader, this.api, [request], this.signal);
      for (const answer of answersOf(response)) {
        if (answer.errorCode === BrokerError.none) continue;
        this.mayHaveTimedOut ||= this.failure === undefined && mayBeTimeout(answer.errorCode);
        this.failure ??= refusedBatch({ ...answer, broker: formatBroker(leader) });
      }
    } catch (error) {
      this.hasLostAnswer = true;
      this.failure ??=
        error instanceof TidemarkError ? error : new TransientError("writing was given up", { cause: error });
    }
  }

  private requestsTo(leader: BrokerAddress): Set<Promise<void>> {
    const address = formatBroker(leader);
    const known = this.underWay.get(address) ?? new Set();
    this.underWay.set(address, known);
    return known;
  }
}
