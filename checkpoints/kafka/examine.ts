// What is wrong or unwise about a Kafka cluster as a checkpoint store, for `doctor`. It looks at topics and their
// settings and changes nothing. What may not be asked is not told about.
import { addressOf, compactCommand, type KafkaClient, topicSettings } from "../../connectors/kafka/for-stores.ts";
import { MAX_ENTRY_BYTES } from "./entries-topic.ts";

/** Where Kafka keeps what was committed: as safe as the checkpoint must be. */
const TRANSACTIONS_TOPIC = "__transaction_state";

/** The findings, one a line. */
export async function examineCluster(
  client: KafkaClient,
  topic: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { topics } = await client.metadata([topic, TRANSACTIONS_TOPIC], signal);
  const brokerCount = client.cluster.brokers.length;
  const findings: string[] = [];
  for (const { topic: name, partitions } of topics) {
    const replicas = Math.min(...partitions.map(({ replicaCount }) => replicaCount));
    if (replicas === 1 && brokerCount > 1) {
      findings.push(
        `the topic "${name}" is on one of ${brokerCount} brokers only: the checkpoint is gone with its disk: ` +
          `kafka-reassign-partitions --bootstrap-server ${addressOf(client)} --execute --reassignment-json-file …`,
      );
    }
    const settings = await topicSettings(client, name, signal);
    if (settings !== undefined) findings.push(...settingFindings(client, name, settings, replicas));
    if (name === topic && settings !== undefined) findings.push(...entriesFindings(client, name, settings));
  }
  return findings;
}

function settingFindings(
  client: KafkaClient,
  topic: string,
  settings: ReadonlyMap<string, string>,
  replicas: number,
): string[] {
  const findings: string[] = [];
  if (replicas > 1 && Number(settings.get("min.insync.replicas") ?? 2) < 2) {
    findings.push(
      `min.insync.replicas of "${topic}" is 1: a write counts when one broker has it: ` +
        alterCommand(client, topic, "min.insync.replicas=2"),
    );
  }
  if (settings.get("unclean.leader.election.enable") === "true") {
    findings.push(
      `"${topic}" may lose what was written when a leader dies: ` +
        alterCommand(client, topic, "unclean.leader.election.enable=false"),
    );
  }
  return findings;
}

function entriesFindings(client: KafkaClient, topic: string, settings: ReadonlyMap<string, string>): string[] {
  const findings: string[] = [];
  const policy = settings.get("cleanup.policy") ?? "compact";
  if (policy !== "compact") {
    findings.push(
      `"${topic}" forgets checkpoints: its cleanup.policy is ${policy}: ${compactCommand(addressOf(client), topic)}`,
    );
  }
  const maxBytes = Number(settings.get("max.message.bytes") ?? MAX_ENTRY_BYTES);
  if (maxBytes < MAX_ENTRY_BYTES) {
    findings.push(
      `"${topic}" takes ${maxBytes} bytes an entry, which is too little for thousands of partitions: ` +
        alterCommand(client, topic, `max.message.bytes=${MAX_ENTRY_BYTES + 64 * 1024}`),
    );
  }
  return findings;
}

function alterCommand(client: KafkaClient, topic: string, setting: string): string {
  return (
    `kafka-configs --bootstrap-server ${addressOf(client)} --alter --entity-type topics ` +
    `--entity-name ${topic} --add-config ${setting}`
  );
}
