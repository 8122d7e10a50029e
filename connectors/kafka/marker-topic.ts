// The compacted topic that holds the markers of all sinks: made when it is missing, and refused when it would forget.
// Everything is in partition 0, so that adding partitions hides no marker.
import { createTopicsV7, describeConfigsV4 } from "@platformatic/kafka";
import { ConfigError, type TidemarkError, TransientError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { Patience } from "./patience.ts";
import { WriteError } from "./producer-errors.ts";

/** A new topic takes a moment until every broker knows it. */
const PATIENCE_MS = 15_000;
const TOPIC_RESOURCE = 2 as const;
/** The cluster's own. */
const DEFAULT_REPLICATION = -1;
/** Small, so that reading to the end stays short: the newest segment is never compacted. */
const CONFIGS = [
  { name: "cleanup.policy", value: "compact" },
  { name: "segment.bytes", value: String(16 * 1024 * 1024) },
];

/** The partition of all markers. */
export const MARKER_PARTITION = 0;

/**
 * Makes sure that the topic is there and is compacted.
 * @throws ConfigError it is not, and may not be made, or it forgets records
 */
export async function ensureMarkerTopic(client: KafkaClient, topic: string, signal: AbortSignal): Promise<void> {
  const patience = new Patience(PATIENCE_MS);
  let isMade = false;
  for (;;) {
    const { topics, problems } = await client.metadata([topic], signal);
    if (topics[0]?.partitions[MARKER_PARTITION]?.leader !== undefined) break;
    const errorCode = problems[0]?.errorCode ?? BrokerError.none;
    const isMissing = errorCode === BrokerError.unknownTopicOrPartition;
    if (isMissing && !isMade) {
      await createTopic(client, topic, signal);
      isMade = true;
      continue;
    }
    if (errorCode === WriteError.topicAuthorizationFailed) throw notAllowed(topic, addressOf(client));
    const notYet = new TransientError(`the topic "${topic}" has no leader now`, { code: "KAFKA_NO_LEADER" });
    const failure = errorCode === BrokerError.none || isMissing ? notYet : undefined;
    await patience.wait(failure ?? brokerError(errorCode, `tell about "${topic}"`, addressOf(client)), signal);
  }
  if (!isMade) await checkPolicy(client, topic, signal);
}

async function createTopic(client: KafkaClient, topic: string, signal: AbortSignal): Promise<void> {
  const request = { name: topic, numPartitions: 1, replicationFactor: DEFAULT_REPLICATION, assignments: [] };
  let failure: TidemarkError | undefined;
  for (const broker of client.cluster.brokers) {
    const topics = [{ ...request, configs: [...CONFIGS] }];
    const answer = await client.call(broker, createTopicsV7.api, [topics, PATIENCE_MS, false], signal);
    const errorCode = answer.topics[0]?.errorCode ?? BrokerError.none;
    if (errorCode === BrokerError.none || errorCode === WriteError.topicAlreadyExists) return;
    const isRefused =
      errorCode === WriteError.topicAuthorizationFailed || errorCode === WriteError.clusterAuthorizationFailed;
    if (isRefused) throw notAllowed(topic, formatBroker(broker));
    failure = brokerError(errorCode, `create the topic "${topic}"`, formatBroker(broker));
    // Before KRaft only the controller can.
    if (errorCode !== WriteError.notController) break;
  }
  throw failure ?? new TransientError("no Kafka broker is known");
}

/** @throws ConfigError the topic forgets records by age or size; where that may not be asked, it is trusted */
async function checkPolicy(client: KafkaClient, topic: string, signal: AbortSignal): Promise<void> {
  const [broker] = client.cluster.brokers;
  if (broker === undefined) return;
  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: ["cleanup.policy"] }];
  const answer = await client.call(broker, describeConfigsV4.api, [resources], signal);
  const policy = answer.results[0]?.configs.find(({ name }) => name === "cleanup.policy")?.value;
  if (policy === undefined || policy === null || policy === "compact") return;
  throw new ConfigError(`the topic "${topic}" must keep the newest marker for ever, and has cleanup.policy=${policy}`, {
    code: "KAFKA_MARKER_TOPIC",
    hint:
      `kafka-configs --bootstrap-server ${formatBroker(broker)} --alter --entity-type topics ` +
      `--entity-name ${topic} --add-config cleanup.policy=compact`,
  });
}

function addressOf({ cluster }: KafkaClient): string {
  const [broker] = cluster.brokers;
  return broker === undefined ? "host:port" : formatBroker(broker);
}

function notAllowed(topic: string, address: string): ConfigError {
  return new ConfigError(`this user may not use or create the topic "${topic}", which says what has been written`, {
    code: "KAFKA_MARKER_TOPIC",
    hint:
      `kafka-topics --bootstrap-server ${address} --create --topic ${topic} --partitions 1 ` +
      "--config cleanup.policy=compact, and allow Read, Write and Describe on it",
  });
}
