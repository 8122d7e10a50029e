// The compacted topic that holds the markers of all sinks.
import type { KafkaClient } from "./client.ts";
import { ensureCompactedTopic, ONLY_PARTITION } from "./compacted-topic.ts";

/** Small, so that reading to the end stays short: the newest segment is never compacted. */
const CONFIGS = { "segment.bytes": String(16 * 1024 * 1024) };

/** The partition of all markers. */
export const MARKER_PARTITION = ONLY_PARTITION;

/**
 * Makes sure that the topic is there and is compacted.
 * @throws ConfigError it is not, and may not be made, or it forgets records
 */
export async function ensureMarkerTopic(client: KafkaClient, topic: string, signal: AbortSignal): Promise<void> {
  const purpose = "which says what has been written";
  await ensureCompactedTopic(client, { topic, purpose, code: "KAFKA_MARKER_TOPIC", configs: CONFIGS }, signal);
}
