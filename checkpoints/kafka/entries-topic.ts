// The topic that all jobs' entries are in: how it is made when it is missing, and under which transactional id a job
// writes to it. Segments are small and cleaned soon, so that what a recovery reads stays bounded: one segment that is
// never compacted, what each job keeps, and the tombstones of the last minutes.
import type { CompactedTopic } from "../../connectors/kafka/for-stores.ts";

/** Of one entry, so that the topic takes it with its key and header. */
export const MAX_ENTRY_BYTES = 8_000_000;

/** The topic, as it is made. */
export function entriesTopic(topic: string): CompactedTopic {
  return {
    topic,
    purpose: "which holds the checkpoints",
    code: "KAFKA_ENTRIES_TOPIC",
    configs: {
      "max.message.bytes": String(MAX_ENTRY_BYTES + 64 * 1024),
      "segment.bytes": String(16 * 1024 * 1024),
      "segment.ms": String(60 * 60 * 1000),
      "min.cleanable.dirty.ratio": "0.1",
      "delete.retention.ms": String(10 * 60 * 1000),
    },
  };
}

/** Unlike a sink's, which has no slash. */
export function transactionalIdOf(topic: string, jobName: string): string {
  return `${topic}/${jobName}`;
}
