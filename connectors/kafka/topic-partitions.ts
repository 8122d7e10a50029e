// How many partitions the topics of a sink have: asked when a topic is first written to, and again every few minutes,
// so that partitions that were added are used, as Kafka's own producers do.
import { ConfigError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { Patience } from "./patience.ts";
import { WriteError } from "./producer-errors.ts";

/** As `metadata.max.age.ms` of Kafka's clients. */
const MAX_AGE_MS = 300_000;
/** A broker hears of a topic a moment after it was made. */
const PATIENCE_MS = 2_000;

/** The topics of an open sink. */
export class TopicPartitions {
  private readonly client: KafkaClient;
  private readonly counts = new Map<string, number>();
  private askedMs = performance.now();

  constructor(client: KafkaClient) {
    this.client = client;
  }

  /** Asks again when it was long ago; only between batches, so that one batch's rows go by one number. */
  async refresh(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.askedMs < MAX_AGE_MS) return;
    this.askedMs = performance.now();
    const known = [...this.counts.keys()];
    this.counts.clear();
    for (const topic of known) await this.countOf(topic, signal);
  }

  /**
   * The number of a topic's partitions, at least 1.
   * @throws ConfigError there is no such topic, or it may not be written to
   * @throws TransientError it cannot be known now
   */
  async countOf(topic: string, signal: AbortSignal): Promise<number> {
    const known = this.counts.get(topic);
    if (known !== undefined) return known;
    const patience = new Patience(PATIENCE_MS);
    for (;;) {
      const { topics, problems } = await this.client.metadata([topic], signal);
      const count = topics[0]?.partitions.length ?? 0;
      if (count > 0) {
        this.counts.set(topic, count);
        return count;
      }
      const failure = this.explain(topic, problems[0]?.errorCode ?? BrokerError.unknownTopicOrPartition);
      if (problems[0]?.errorCode !== BrokerError.unknownTopicOrPartition) throw failure;
      await patience.wait(failure, signal);
    }
  }

  private explain(topic: string, errorCode: number): Error {
    const [broker] = this.client.cluster.brokers;
    const address = broker === undefined ? "host:port" : formatBroker(broker);
    if (errorCode === BrokerError.unknownTopicOrPartition) {
      return new ConfigError(`Kafka has no topic "${topic}" to write to`, {
        code: "KAFKA_NO_TOPIC",
        hint: `create it: kafka-topics --bootstrap-server ${address} --create --topic ${topic} --partitions 4`,
      });
    }
    if (errorCode === WriteError.topicAuthorizationFailed) {
      return new ConfigError(`this user may not see the topic "${topic}" on Kafka at ${address}`, {
        code: "KAFKA_TOPIC_AUTHORIZATION_FAILED",
        hint: `allow it: kafka-acls --add --operation Write --operation Describe --topic ${topic}`,
      });
    }
    return brokerError(errorCode, `tell about the topic "${topic}"`, address);
  }
}
