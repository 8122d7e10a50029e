// A Kafka cluster as its users here see it: ask any broker for the cluster's state, a partition's leader for its
// offsets and records, a group's coordinator for the group's. It looks for leaders again when they moved, within
// bounds, and has one connection a broker, and another where it waits. It never joins a group and never writes records.

import { ConfigError, partitionKey, type TopicPartition, TransientError } from "../../runtime/index.ts";
import { askLeaders, type FoundOffset } from "./ask-leaders.ts";
import { BrokerConnections } from "./broker-connections.ts";
import { Cluster, type TopicInfo, type TopicProblem } from "./cluster.ts";
import {
  type BrokerAddress,
  type CheckedConnectionOptions,
  checkConnectionOptions,
  formatBroker,
  type KafkaConnectionOptions,
} from "./connection-options.ts";
import { type FetchAnswer, type FetchPartition, fetchApi, fetchArguments } from "./fetch-request.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import {
  apiVersionsV3,
  fetchV13,
  findCoordinatorV4,
  listOffsetsV7,
  metadataV12,
  offsetForLeaderEpochV4,
} from "./library.ts";

const CLIENT = ["tidemark", "0"] as const;
const NO_REPLICA = -1;
const UNKNOWN_EPOCH = -1;
const GROUP = 0;
/** What is asked of brokers, in the versions that are asked. All are known since Kafka 3.1. */
const needed = [
  { api: metadataV12.api, name: "Metadata" },
  { api: listOffsetsV7.api, name: "ListOffsets" },
  { api: fetchV13.api, name: "Fetch" },
] as const;

/** Where in a partition's log: both ends, or the first record at or after a time (ms since the Unix epoch, ≥ 0). */
export type LogPlace = "earliest" | "latest" | { readonly timestampMs: number };

export interface ListOffsetsOptions {
  readonly place: LogPlace;
  /** "latest" is the last stable offset then. */
  readonly readCommitted: boolean;
  readonly signal: AbortSignal;
}

/** An open client. */
export class KafkaClient implements AsyncDisposable {
  readonly cluster = new Cluster();
  private readonly connections: BrokerConnections;
  /** For requests that brokers keep waiting. */
  private readonly apart: BrokerConnections;
  private readonly options: CheckedConnectionOptions;

  private constructor(options: CheckedConnectionOptions) {
    this.options = options;
    this.connections = new BrokerConnections(options);
    this.apart = new BrokerConnections(options);
  }

  /**
   * Connects to the first broker that answers.
   * @throws ConfigError an option is wrong, or the brokers are older than Kafka 3.1
   * @throws TransientError no broker can be reached
   */
  static async open(options: KafkaConnectionOptions, jobName: string, signal: AbortSignal): Promise<KafkaClient> {
    const client = new KafkaClient(checkConnectionOptions(options, jobName));
    try {
      await client.checkVersions(signal);
      await client.metadata([], signal);
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Asks for topics by name, or for all (undefined), and keeps what it hears. Topics that are not there are problems,
   * no errors.
   */
  async metadata(
    topics: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly topics: readonly TopicInfo[]; readonly problems: readonly TopicProblem[] }> {
    const names = topics && [...new Set(topics)];
    return await this.askAny(async (broker) => {
      return this.cluster.update(
        await this.connections.call(broker, metadataV12.api, [names ?? null, false, false], signal),
      );
    });
  }

  /**
   * The offsets of a place in several partitions, in no order; leaders that moved are looked for again.
   * @throws TransientError some partition has no leader for too long
   * @throws ConfigError not allowed
   */
  async listOffsets(
    partitions: readonly TopicPartition[],
    { place, readCommitted, signal }: ListOffsetsOptions,
  ): Promise<FoundOffset[]> {
    const timestamp = timestampOf(place);
    return await askLeaders(this, partitions, signal, async (leader, located) => {
      const topics = byTopic(located).map(([name, of]) => {
        const asked = of.map(({ partition, leaderEpoch }) => {
          return { partitionIndex: partition, currentLeaderEpoch: leaderEpoch, timestamp };
        });
        return { name, partitions: asked };
      });
      const isolation = readCommitted ? 1 : 0;
      const answer = await this.connections.call(leader, listOffsetsV7.api, [NO_REPLICA, isolation, topics], signal);
      return answer.topics.flatMap(({ name, partitions: found }) =>
        found.map(({ partitionIndex, errorCode, offset, leaderEpoch }) => {
          return { topic: name, partition: partitionIndex, errorCode, offset, leaderEpoch };
        }),
      );
    });
  }

  /**
   * Where the log of each partition ends for the epoch of a leader: the first offset of a later epoch, or the log's end
   * (KIP-101). An offset beyond that was cut off since. −1 when the broker does not know.
   */
  async endOfEpochs(
    partitions: readonly (TopicPartition & { readonly leaderEpoch: number })[],
    signal: AbortSignal,
  ): Promise<FoundOffset[]> {
    const epochs = new Map(partitions.map((partition) => [partitionKey(partition), partition.leaderEpoch]));
    return await askLeaders(this, partitions, signal, async (leader, located) => {
      const topics = byTopic(located).map(([name, of]) => {
        const asked = of.map((partition) => ({
          partitionIndex: partition.partition,
          currentLeaderEpoch: partition.leaderEpoch,
          leaderEpoch: epochs.get(partitionKey(partition)) ?? UNKNOWN_EPOCH,
        }));
        return { name, partitions: asked };
      });
      const answer = await this.connections.call(leader, offsetForLeaderEpochV4.api, [NO_REPLICA, topics], signal);
      return answer.topics.flatMap(({ topic, partitions: found }) =>
        found.map(({ partition, errorCode, endOffset, leaderEpoch }) => {
          return { topic, partition, errorCode, offset: endOffset, leaderEpoch };
        }),
      );
    });
  }

  /** Fetches from one partition's leader, as it is known. The answer may be an error code. */
  async fetch(leader: BrokerAddress, partition: FetchPartition, signal: AbortSignal): Promise<FetchAnswer> {
    const [answer] = await this.fetchAll(leader, [partition], signal);
    if (answer !== undefined) return answer;
    throw new TransientError(`Kafka at ${formatBroker(leader)} answered a fetch with nothing`);
  }

  /**
   * Fetches from several partitions of one leader, with the same isolation. What there is no room for is empty; answers
   * may be error codes, and one that names no topic is for all.
   */
  async fetchAll(
    leader: BrokerAddress,
    partitions: readonly FetchPartition[],
    signal: AbortSignal,
  ): Promise<readonly FetchAnswer[]> {
    return await this.connections.call(leader, fetchApi, fetchArguments(partitions), signal);
  }

  /** The broker that keeps a consumer group's offsets. @throws TransientError there is none now; ConfigError */
  async coordinator(groupId: string, signal: AbortSignal): Promise<BrokerAddress> {
    return await this.askAny(async (broker) => {
      const answer = await this.connections.call(broker, findCoordinatorV4.api, [GROUP, [groupId]], signal);
      const [found] = answer.coordinators;
      if (found !== undefined && found.errorCode === BrokerError.none) return { host: found.host, port: found.port };
      throw brokerError(found?.errorCode ?? -1, `find the coordinator of group ${groupId}`, formatBroker(broker));
    });
  }

  /** Sends any other request to one broker. @throws ConfigError, TransientError, the signal's reason */
  get call(): BrokerConnections["call"] {
    return this.connections.call.bind(this.connections);
  }

  /** As `call`, over a connection that nothing else waits for: brokers answer a connection's requests in order. */
  get callApart(): BrokerConnections["call"] {
    return this.apart.call.bind(this.apart);
  }

  /** How long a broker may take to answer. */
  get requestTimeoutMs(): number {
    return this.options.requestTimeoutMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.connections[Symbol.asyncDispose](), this.apart[Symbol.asyncDispose]()]);
  }

  private async checkVersions(signal: AbortSignal): Promise<void> {
    await this.askAny(async (broker) => {
      const answer = await this.connections.call(broker, apiVersionsV3.api, [...CLIENT], signal);
      const missing = needed.find(
        ({ api }) =>
          !answer.apiKeys.some(
            (known) => known.apiKey === api.key && api.version >= known.minVersion && api.version <= known.maxVersion,
          ),
      );
      if (missing === undefined) return;
      const { name, api } = missing;
      throw new ConfigError(`Kafka at ${formatBroker(broker)} does not know ${name} version ${api.version}`, {
        code: "KAFKA_VERSION",
        hint: "Kafka 3.1 or later is needed",
      });
    });
  }

  /** The answer of the first broker that can be reached: known ones first, then those of the options. */
  private async askAny<Answer>(ask: (broker: BrokerAddress) => Promise<Answer>): Promise<Answer> {
    const brokers = new Map(
      [...this.cluster.brokers, ...this.options.bootstrap].map((broker) => [formatBroker(broker), broker]),
    );
    let failure: unknown;
    for (const broker of brokers.values()) {
      try {
        return await ask(broker);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  /** Asks for the leaders of partitions anew; not being able to is no error here. */
  async refresh(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    try {
      await this.metadata(
        partitions.map(({ topic }) => topic),
        signal,
      );
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
    }
  }
}

/** Kafka's numbers for places (ListOffsets); times are ms. */
function timestampOf(place: LogPlace): bigint {
  if (place === "earliest") return -2n;
  if (place === "latest") return -1n;
  return BigInt(Math.max(0, Math.ceil(place.timestampMs)));
}

function byTopic<P extends TopicPartition>(partitions: readonly P[]): (readonly [string, P[]])[] {
  const topics = new Map<string, P[]>();
  for (const partition of partitions) {
    const of = topics.get(partition.topic) ?? [];
    of.push(partition);
    topics.set(partition.topic, of);
  }
  return [...topics];
}
