// A compacted topic of Tidemark's own: made when it is missing, with the cluster's own replication, and refused when it
// would forget records. Everything is in partition 0, so that adding partitions hides nothing.

import { ConfigError, type TidemarkError, TransientError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { createTopicsV7, describeConfigsV4 } from "./library.ts";
import { Patience } from "./patience.ts";
import { WriteError } from "./producer-errors.ts";

/** A new topic takes a moment until every broker knows it. */
const PATIENCE_MS = 15_000;
const TOPIC_RESOURCE = 2 as const;
/** The cluster's own. */
const DEFAULT_REPLICATION = -1;

/** The one partition that is used. */
export const ONLY_PARTITION = 0;

/** A topic as Tidemark makes it. */
export interface CompactedTopic {
  readonly topic: string;
  /** What it is for, to end a sentence: "which says what has been written". */
  readonly purpose: string;
  /** Of errors about it. */
  readonly code: string;
  /** Beside cleanup.policy. */
  readonly configs: Readonly<Record<string, string>>;
}

/**
 * Makes sure that the topic is there and is compacted.
 * @throws ConfigError it is not, and may not be made, or it forgets records
 */
export async function ensureCompactedTopic(
  client: KafkaClient,
  wanted: CompactedTopic,
  signal: AbortSignal,
): Promise<void> {
  const { topic } = wanted;
  const patience = new Patience(PATIENCE_MS);
  let isMade = false;
  for (;;) {
    const { topics, problems } = await client.metadata([topic], signal);
    if (topics[0]?.partitions[ONLY_PARTITION]?.leader !== undefined) break;
    const errorCode = problems[0]?.errorCode ?? BrokerError.none;
    const isMissing = errorCode === BrokerError.unknownTopicOrPartition;
    if (isMissing && !isMade) {
      await createTopic(client, wanted, signal);
      isMade = true;
      continue;
    }
    const notYet = new TransientError(`the topic "${topic}" has no leader now`, { code: "KAFKA_NO_LEADER" });
    const failure = topicProblem(client, wanted, errorCode);
    if (failure?.retryable === false) throw failure;
    await patience.wait(failure ?? notYet, signal);
  }
  if (!isMade) await checkPolicy(client, wanted, signal);
}

/** What a broker's answer about the topic means; undefined: the topic is there, or is not there. */
export function topicProblem(
  client: KafkaClient,
  wanted: CompactedTopic,
  errorCode: number,
): TidemarkError | undefined {
  if (errorCode === BrokerError.none || errorCode === BrokerError.unknownTopicOrPartition) return undefined;
  if (errorCode === WriteError.topicAuthorizationFailed) return notAllowed(wanted, addressOf(client));
  return brokerError(errorCode, `tell about "${wanted.topic}"`, addressOf(client));
}

/** The topic's settings by name; undefined where they may not be asked for. @throws TransientError */
export async function topicSettings(
  client: KafkaClient,
  topic: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string> | undefined> {
  const [broker] = client.cluster.brokers;
  if (broker === undefined) return undefined;
  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: null }];
  const answer = await client.call(broker, describeConfigsV4.api, [resources], signal);
  const [result] = answer.results;
  if (result === undefined || result.errorCode !== BrokerError.none) return undefined;
  return new Map(result.configs.map(({ name, value }) => [name, value ?? ""]));
}

async function createTopic(client: KafkaClient, wanted: CompactedTopic, signal: AbortSignal): Promise<void> {
  const { topic } = wanted;
  const request = { name: topic, numPartitions: 1, replicationFactor: DEFAULT_REPLICATION, assignments: [] };
  const settings = Object.entries({ "cleanup.policy": "compact", ...wanted.configs });
  let failure: TidemarkError | undefined;
  for (const broker of client.cluster.brokers) {
    const topics = [{ ...request, configs: settings.map(([name, value]) => ({ name, value })) }];
    const answer = await client.call(broker, createTopicsV7.api, [topics, PATIENCE_MS, false], signal);
    const errorCode = answer.topics[0]?.errorCode ?? BrokerError.none;
    if (errorCode === BrokerError.none || errorCode === WriteError.topicAlreadyExists) return;
    const isRefused =
      errorCode === WriteError.topicAuthorizationFailed || errorCode === WriteError.clusterAuthorizationFailed;
    if (isRefused) throw notAllowed(wanted, formatBroker(broker));
    failure = brokerError(errorCode, `create the topic "${topic}"`, formatBroker(broker));
    // Before KRaft only the controller can.
    if (errorCode !== WriteError.notController) break;
  }
  throw failure ?? new TransientError("no Kafka broker is known");
}

/** @throws ConfigError the topic forgets records by age or size; where that may not be asked, it is trusted */
async function checkPolicy(
  client: KafkaClient,
  { topic, purpose, code }: CompactedTopic,
  signal: AbortSignal,
): Promise<void> {
  const policy = (await topicSettings(client, topic, signal))?.get("cleanup.policy");
  if (policy === undefined || policy === "compact") return;
  throw new ConfigError(`the topic "${topic}", ${purpose}, must be compacted, and has cleanup.policy=${policy}`, {
    code,
    hint: compactCommand(addressOf(client), topic),
  });
}

/** What to type so that a topic is compacted. */
export function compactCommand(address: string, topic: string): string {
  return (
    `kafka-configs --bootstrap-server ${address} --alter --entity-type topics ` +
    `--entity-name ${topic} --add-config cleanup.policy=compact`
  );
}

/** One of the cluster's brokers, for commands. */
export function addressOf({ cluster }: KafkaClient): string {
  const [broker] = cluster.brokers;
  return broker === undefined ? "host:port" : formatBroker(broker);
}

function notAllowed({ topic, purpose, code }: CompactedTopic, address: string): ConfigError {
  return new ConfigError(`this user may not use or create the topic "${topic}", ${purpose}`, {
    code,
    hint:
      `kafka-topics --bootstrap-server ${address} --create --topic ${topic} --partitions 1 ` +
      "--config cleanup.policy=compact, and allow Read, Write and Describe on it",
  });
}
