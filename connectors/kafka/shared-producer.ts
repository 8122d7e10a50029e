// A transactional producer that several share: the writer of a job's log, and the sink of its rows, whose batches then
// are in the log's own transactions. Its transactions are one after the other, by turns. Whoever has the turn may
// replace a producer that is used up; until then everybody finds it used up.
import { isDeepStrictEqual } from "node:util";
import type { LogTransactions } from "../../runtime/index.ts";
import { abortable } from "./abortable.ts";
import type { KafkaClient } from "./client.ts";
import type { KafkaConnectionOptions } from "./connection-options.ts";
import { type ProducerOptions, TransactionalProducer } from "./transactional-producer.ts";

export interface SharedProducerOptions extends ProducerOptions {
  /** How its client was connected. */
  readonly connection: KafkaConnectionOptions;
}

/** An open producer, shared. */
export class SharedProducer implements LogTransactions {
  readonly place: string;
  private readonly options: SharedProducerOptions;
  private producer: TransactionalProducer;
  /** When nobody has the turn any more who is before the next. */
  private free: Promise<void> = Promise.resolve();

  private constructor(options: SharedProducerOptions, producer: TransactionalProducer) {
    this.options = options;
    this.producer = producer;
    this.place = `kafka:${options.client.cluster.clusterId}`;
  }

  /** As TransactionalProducer.open: shuts older producers out. */
  static async open(options: SharedProducerOptions, signal: AbortSignal): Promise<SharedProducer> {
    return new SharedProducer(options, await TransactionalProducer.open(options, signal));
  }

  get client(): KafkaClient {
    return this.options.client;
  }

  get transactionTimeoutMs(): number {
    return this.options.transactionTimeoutMs;
  }

  /**
   * Whether somebody with this connection would write as the same user to the same cluster.
   * @param clusterId what the other is connected to
   */
  isReachedBy({ sasl, tls }: KafkaConnectionOptions, clusterId: string): boolean {
    const { client, connection } = this.options;
    const isSameCluster = clusterId !== "" && clusterId === client.cluster.clusterId;
    return isSameCluster && isDeepStrictEqual([sasl, tls || false], [connection.sasl, connection.tls || false]);
  }

  /** @throws what went wrong with the producer */
  throwIfFailed(): void {
    this.producer.throwIfFailed();
  }

  /** Waits for a turn: for one transaction, or for none. Give it back. @throws the signal's reason */
  async turn(signal: AbortSignal): Promise<ProducerTurn> {
    const before = this.free;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.free = before.then(() => promise);
    try {
      await abortable(before, signal);
    } catch (error) {
      resolve();
      throw error;
    }
    const renew = async (asked: AbortSignal) => {
      this.producer = await TransactionalProducer.open(this.options, asked);
      return this.producer;
    };
    return new ProducerTurn(this.producer, renew, resolve);
  }
}

/** Having the producer for oneself. */
export class ProducerTurn {
  private current: TransactionalProducer;
  private readonly open: (signal: AbortSignal) => Promise<TransactionalProducer>;
  private readonly end: () => void;

  constructor(
    producer: TransactionalProducer,
    open: (signal: AbortSignal) => Promise<TransactionalProducer>,
    end: () => void,
  ) {
    this.current = producer;
    this.open = open;
    this.end = end;
  }

  get producer(): TransactionalProducer {
    return this.current;
  }

  /** Puts a new producer in place of one that is used up; it shuts the old one out. */
  async renew(signal: AbortSignal): Promise<void> {
    this.current = await this.open(signal);
  }

  /** Gives the turn back; idempotent. */
  release(): void {
    this.end();
  }
}
