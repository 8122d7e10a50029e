// What is known of a cluster: its brokers, its id, and for each topic its id and its partitions' leaders. Pure data
// made from brokers' answers; knowledge grows old, and whoever finds it wrong asks anew.

import { type TopicPartition, TransientError } from "../../runtime/index.ts";
import type { BrokerAddress } from "./connection-options.ts";
import { BrokerError } from "./kafka-errors.ts";
import type { metadataV12 } from "./library.ts";

export interface PartitionInfo {
  readonly partition: number;
  /** undefined while there is none. */
  readonly leader: BrokerAddress | undefined;
  readonly leaderEpoch: number;
  /** On so many brokers it should be. */
  readonly replicaCount: number;
}

export interface TopicInfo {
  readonly topic: string;
  /** Of this topic and no other, even of the same name. */
  readonly topicId: string;
  readonly isInternal: boolean;
  /** Sorted by number. */
  readonly partitions: readonly PartitionInfo[];
}

/** A topic that a broker would not tell about, with its error code. */
export interface TopicProblem {
  readonly topic: string;
  readonly errorCode: number;
}

/** A partition with what is needed to ask for it. */
export interface LocatedPartition extends TopicPartition {
  readonly topicId: string;
  readonly leader: BrokerAddress;
  readonly leaderEpoch: number;
}

/** A cluster as it was when it was last asked. */
export class Cluster {
  clusterId = "";
  brokers: readonly BrokerAddress[] = [];
  private readonly topics = new Map<string, TopicInfo>();

  /** Takes over what a broker said of the topics in its answer. Topics that are gone are forgotten. */
  update(answer: metadataV12.MetadataResponse): {
    readonly topics: readonly TopicInfo[];
    readonly problems: readonly TopicProblem[];
  } {
    const brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    this.clusterId = answer.clusterId ?? this.clusterId;
    if (brokers.size > 0) this.brokers = [...brokers.values()];
    const topics: TopicInfo[] = [];
    const problems: TopicProblem[] = [];
    for (const { name, topicId, errorCode, isInternal, partitions } of answer.topics) {
      const topic = name ?? "";
      if (errorCode !== BrokerError.none) {
        this.topics.delete(topic);
        problems.push({ topic, errorCode });
        continue;
      }
      const info: TopicInfo = {
        topic,
        topicId,
        isInternal,
        partitions: partitions
          .map(({ partitionIndex, leaderId, leaderEpoch, replicaNodes }) => {
            const replicaCount = replicaNodes.length;
            return { partition: partitionIndex, leader: brokers.get(leaderId), leaderEpoch, replicaCount };
          })
          .sort((a, b) => a.partition - b.partition),
      };
      this.topics.set(topic, info);
      topics.push(info);
    }
    return { topics, problems };
  }

  topic(name: string): TopicInfo | undefined {
    return this.topics.get(name);
  }

  /** What is known of a partition; undefined when it is not there. */
  partition({ topic, partition }: TopicPartition): PartitionInfo | undefined {
    // Numbered from 0 without gaps, and sorted.
    return this.topics.get(topic)?.partitions[partition];
  }

  /** A partition with its leader. @throws TransientError it has none now, or is not known */
  locate({ topic, partition }: TopicPartition): LocatedPartition {
    const info = this.partition({ topic, partition });
    const topicId = this.topics.get(topic)?.topicId;
    if (info?.leader === undefined || topicId === undefined) {
      throw new TransientError(`${topic}:${partition} has no leader now`, { code: "KAFKA_NO_LEADER" });
    }
    return { topic, partition, topicId, leader: info.leader, leaderEpoch: info.leaderEpoch };
  }
}
