// Topics on a real broker for tests: made under names of their own, written to by the Kafka library's producer, and
// ready to be read when the functions here resolve.
import { randomBytes } from "node:crypto";
import { Admin, type MessageToProduce, Producer } from "@platformatic/kafka";

export type Message = Omit<MessageToProduce<Buffer, Buffer, Buffer, Buffer>, "topic">;

/** Writes to one cluster. */
export class BrokerTopics implements AsyncDisposable {
  readonly admin: Admin;
  private readonly producer: Producer;
  private readonly connection: { readonly clientId: string; readonly bootstrapBrokers: string[] };

  constructor(bootstrap: string) {
    this.connection = { clientId: "tests", bootstrapBrokers: bootstrap.split(",") };
    this.admin = new Admin(this.connection);
    this.producer = new Producer(this.connection);
  }

  /** A topic under a new name, or under `name`. Without `config` its records are kept for ever, however old. */
  async create(partitions: number, config: Record<string, string> = {}, name?: string): Promise<string> {
    const topic = name ?? `t-${randomBytes(6).toString("hex")}`;
    const configs = Object.entries({ "retention.ms": "-1", ...config }).map(([key, value]) => ({ name: key, value }));
    await this.admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    await this.untilPartitions(topic, partitions);
    return topic;
  }

  /** Deletes a topic; resolves when the broker does not know it any more. */
  async delete(topic: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [topic] });
    await this.until(`${topic} is gone`, async () => !(await this.admin.listTopics()).includes(topic));
  }

  /** Gives a topic more partitions. */
  async grow(topic: string, partitions: number): Promise<void> {
    await this.admin.createPartitions({ topics: [{ name: topic, count: partitions }] });
    await this.untilPartitions(topic, partitions);
    // The library's producer puts partitions that it does not know of into others.
    await this.producer.metadata({ topics: [topic], forceUpdate: true });
  }

  /** Writes messages in order, a hundred thousand at a time at most. */
  async produce(
    topic: string,
    messages: readonly Message[],
    compression: "none" | "gzip" | "snappy" | "lz4" | "zstd" = "none",
  ): Promise<void> {
    const step = 10_000;
    for (let from = 0; from < messages.length; from += step) {
      const some = messages.slice(from, from + step).map((message) => ({ ...message, topic }));
      await this.producer.send({ messages: some, compression, acks: -1 });
    }
  }

  /** One transaction with these messages, ended as told; no other may be open. Waits for its markers in the log. */
  async transaction(topic: string, messages: readonly Message[], end: "commit" | "abort"): Promise<void> {
    const transactionalId = randomBytes(6).toString("hex");
    const producer = new Producer({ ...this.connection, idempotent: true, transactionalId, retryDelay: 50 });
    try {
      const transaction = await producer.beginTransaction();
      await transaction.send({ messages: messages.map((message) => ({ ...message, topic })) });
      await (end === "commit" ? transaction.commit() : transaction.abort());
    } finally {
      await producer.close();
    }
    const partitions = [...new Set(messages.map(({ partition = 0 }) => partition))];
    await this.until("the transaction has its markers", async () => {
      const [stable, all] = [await this.endsOf(topic, partitions, 1), await this.endsOf(topic, partitions, 0)];
      return stable.join() === all.join();
    });
  }

  /** Begins a transaction with these messages; what comes back commits it. */
  async openTransaction(topic: string, messages: readonly Message[]): Promise<() => Promise<void>> {
    const transactionalId = randomBytes(6).toString("hex");
    const producer = new Producer({ ...this.connection, idempotent: true, transactionalId, retryDelay: 50 });
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: messages.map((message) => ({ ...message, topic })) });
    return async () => {
      await transaction.commit();
      await producer.close();
    };
  }

  /** Deletes the records before an offset. */
  async deleteRecordsBefore(topic: string, partition: number, offset: bigint): Promise<void> {
    await this.admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset }] }] });
  }

  /** Waits until the broker shows what was asked for. */
  async until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + 20_000; ; ) {
      if (await isTrue()) return;
      if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.producer.close();
    await this.admin.close();
  }

  /** Where partitions end: for readers of committed records only (1), or of all (0). */
  private async endsOf(topic: string, partitions: readonly number[], isolationLevel: 0 | 1): Promise<bigint[]> {
    const asked = partitions.map((partitionIndex) => ({ partitionIndex, timestamp: -1n }));
    const [found] = await this.admin.listOffsets({ topics: [{ name: topic, partitions: asked }], isolationLevel });
    return (found?.partitions ?? []).map(({ offset }) => offset);
  }

  /**
   * Waits until each partition has a leader that answers: the library's producer writes everything again, doubled, when
   * one of several partitions has none.
   */
  private async untilPartitions(topic: string, count: number): Promise<void> {
    const partitions = Array.from({ length: count }, (_, at) => at);
    await this.until(`${topic} has ${count} partitions`, async () => {
      const metadata = await this.admin.metadata({ topics: [topic], forceUpdate: true }).catch(() => undefined);
      if (metadata?.topics.get(topic)?.partitionsCount !== count) return false;
      return this.endsOf(topic, partitions, 0).then(
        () => true,
        () => false,
      );
    });
  }
}

/** A message with a text or without a value. */
export function message(partition: number, value: string | null, more: Partial<Message> = {}): Message {
  return { partition, ...(value === null ? {} : { value: Buffer.from(value) }), ...more };
}
