// Kafka: a transaction of one record and a group's offsets, with the library's own producer, on a cluster of one broker.
import { Admin, type Consumer, Producer } from "@platformatic/kafka";
import type { RawAppend } from "../raw-append.ts";

/** Makes a topic for the entries and one that the offsets are of, and deletes both in the end. */
export async function rawKafkaAppend(bootstrap: string, name: string): Promise<RawAppend> {
  const connection = { clientId: "bench", bootstrapBrokers: bootstrap.split(",") };
  const admin = new Admin(connection);
  const [entries, source] = [`${name}-entries`, `${name}-source`];
  await admin.createTopics({ topics: [entries], partitions: 1, replicas: 1 });
  await admin.createTopics({ topics: [source], partitions: 4, replicas: 1 });
  const { brokers } = await admin.metadata({ topics: [] });
  const coordinatorId = [...brokers.keys()][0];
  // Stands for a consumer of the group; nobody joins it.
  const consumer = { groupId: `${name}-raw`, generationId: -1, memberId: "", coordinatorId } as unknown as Consumer;
  const producer = new Producer({ ...connection, idempotent: true, transactionalId: `${name}-raw`, retryDelay: 50 });
  return {
    async append(seq, bytes, positions) {
      const transaction = await producer.beginTransaction();
      await transaction.send({
        messages: [{ topic: entries, partition: 0, key: Buffer.from(`${seq}`), value: bytes }],
      });
      await transaction.addConsumer(consumer);
      for (const { partition, offset } of positions) {
        const message = { topic: source, partition, offset: offset - 1n, metadata: { consumer } };
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
