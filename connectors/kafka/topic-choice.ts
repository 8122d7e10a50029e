// Which topics a source reads: names, or a pattern that is looked up again and again, so that new topics are found
// while the job runs. Remembers each topic's id as it was first seen: one that comes back with another id is another
// topic.
import { ConfigError, TransientError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import type { TopicInfo, TopicProblem } from "./cluster.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import type { TopicSpec } from "./topic-spec.ts";

/** A pattern asks for every topic of the cluster: not at each batch. */
const PATTERN_INTERVAL_MS = 5_000;

/** The topics of one open source. */
export class TopicChoice {
  private readonly client: KafkaClient;
  private readonly spec: TopicSpec;
  private readonly ids = new Map<string, string>();
  private matching: readonly string[] = [];
  private matchedAt: number | undefined;

  constructor(client: KafkaClient, spec: TopicSpec) {
    this.client = client;
    this.spec = spec;
  }

  /** The id that a topic had when it was first seen; undefined: it is none of this source's. */
  idOf(topic: string): string | undefined {
    return this.ids.get(topic);
  }

  /**
   * Looks at the topics as they are now.
   * @throws ConfigError a named topic is not there, or may not be read
   * @throws TransientError a topic is not what it was: positions must be compared again
   */
  async look(signal: AbortSignal): Promise<readonly TopicInfo[]> {
    const topics =
      this.spec instanceof RegExp ? await this.match(this.spec, signal) : await this.find(this.spec, signal);
    for (const { topic, topicId } of topics) {
      const seen = this.ids.get(topic) ?? topicId;
      if (seen !== topicId) {
        throw new TransientError(`the topic "${topic}" was deleted and created again`, { code: "KAFKA_TOPIC_ANEW" });
      }
      this.ids.set(topic, topicId);
    }
    return topics;
  }

  private async find(names: readonly string[], signal: AbortSignal): Promise<readonly TopicInfo[]> {
    const { topics, problems } = await this.client.metadata(names, signal);
    const [problem] = problems;
    if (problem !== undefined) throw this.explain(problem);
    return topics;
  }

  private async match(pattern: RegExp, signal: AbortSignal): Promise<readonly TopicInfo[]> {
    const now = performance.now();
    if (this.matchedAt !== undefined && now - this.matchedAt < PATTERN_INTERVAL_MS) {
      return await this.find(this.matching, signal);
    }
    const { topics } = await this.client.metadata(undefined, signal);
    // A pattern with the flags g or y remembers where it was.
    const matching = topics.filter(({ topic, isInternal }) => !isInternal && topic.search(pattern) !== -1);
    this.matching = matching.map(({ topic }) => topic);
    this.matchedAt = now;
    return matching;
  }

  private explain({ topic, errorCode }: TopicProblem): Error {
    const [broker] = this.client.cluster.brokers;
    const address = broker ? `${broker.host}:${broker.port}` : "host:port";
    if (errorCode === BrokerError.unknownTopicOrPartition) {
      this.matchedAt = undefined;
      return new ConfigError(`Kafka has no topic "${topic}"`, {
        code: "KAFKA_NO_TOPIC",
        hint: `create it: kafka-topics --bootstrap-server ${address} --create --topic ${topic}`,
      });
    }
    return brokerError(errorCode, `tell about the topic "${topic}"`, address);
  }
}
