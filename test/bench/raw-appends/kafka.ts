// Kafka: a transaction of one record and a group's offsets, with the library's own producer, on a cluster of one
// broker.
import { Admin, type Consumer, Producer } from "@platformatic/kafka";
import { formatMark } from "../../../connectors/kafka/position-mark.ts";
import type { RawAppend } from "../raw-append.ts";

const PARTITIONS = 4;
const GROUP_WITHIN_MS = 30_000;

/** Makes a topic for the entries and one that the offsets are of, and deletes both in the end. */
export async function rawKafkaAppend(bootstrap: string, name: string): Promise<RawAppend> {
  const connection = { clientId: "bench", bootstrapBrokers: bootstrap.split(",") };
  const admin = new Admin(connection);
  const [entries, source, groupId] = [`${name}-entries`, `${name}-source`, `${name}-raw`];
  await admin.createTopics({ topics: [entries], partitions: 1, replicas: 1 });
  await admin.createTopics({ topics: [source], partitions: PARTITIONS, replicas: 1 });
  await makeGroup(admin, groupId, source);
  const { id: clusterId, brokers, topics } = await admin.metadata({ topics: [source] });
  const mark = formatMark({ clusterId, topicId: topics.get(source)?.id ?? "", leaderEpoch: 0 });
  // Stands for a consumer of the group; nobody joins it.
  const member = { groupId, generationId: -1, memberId: "", coordinatorId: [...brokers.keys()][0] };
  const consumer = member as unknown as Consumer;
  const producer = new Producer({ ...connection, idempotent: true, transactionalId: groupId, retryDelay: 50 });
  return {
    positionsAt: (seq) =>
      Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: source, partition, offset: BigInt(seq), mark })),
    async append(seq, bytes, positions) {
      const transaction = await producer.beginTransaction();
      await transaction.send({
        messages: [{ topic: entries, partition: 0, key: Buffer.from(`${seq}`), value: bytes }],
      });
      await transaction.addConsumer(consumer);
      for (const { topic, partition, offset } of positions) {
        const message = { topic, partition, offset: offset - 1n, metadata: { consumer } };
        await transaction.addOffset(message as unknown as Parameters<typeof transaction.addOffset>[0]);
      }
      await transaction.commit();
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
      await admin.deleteTopics({ topics: [entries, source] });
      await admin.close();
    },
  };
}

/** A cluster's first group waits for its topic to be made. */
async function makeGroup(admin: Admin, groupId: string, topic: string): Promise<void> {
  const topics = [{ name: topic, partitionOffsets: [{ partition: 0, offset: 0n }] }];
  for (const untilMs = performance.now() + GROUP_WITHIN_MS; ; ) {
    try {
      return await admin.alterConsumerGroupOffsets({ groupId, topics });
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}
