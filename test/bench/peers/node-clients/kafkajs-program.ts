// Run by node-clients.ts: kafkajs as its users write it for throughput, eachBatch in a group, counting bytes.
// Arguments: brokers, topic, records, group, the folder with node_modules.
import { createRequire } from "node:module";
import { join } from "node:path";

interface Batch {
  readonly messages: readonly { readonly value: Buffer | null }[];
}

interface KafkaJs {
  Kafka: new (options: {
    clientId: string;
    brokers: string[];
    logLevel: number;
  }) => {
    consumer(options: { groupId: string; maxBytesPerPartition: number }): {
      connect(): Promise<void>;
      subscribe(options: { topic: string; fromBeginning: boolean }): Promise<void>;
      run(options: {
        autoCommit: boolean;
        partitionsConsumedConcurrently: number;
        eachBatch(payload: { batch: Batch }): Promise<void>;
      }): Promise<void>;
    };
  };
}

const [brokers = "", topic = "", recordsText = "0", groupId = "", folder = "."] = process.argv.slice(2);
const { Kafka } = createRequire(join(folder, "package.json"))("kafkajs") as KafkaJs;
const startedAtMs = Date.now();
let firstRecordAtMs = 0;
const digest = { records: 0, bytes: 0 };
const consumer = new Kafka({ clientId: "bench", brokers: brokers.split(","), logLevel: 0 }).consumer({
  groupId,
  maxBytesPerPartition: 8 << 20,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch }) => {
    if (digest.records === 0) firstRecordAtMs = Date.now();
    for (const { value } of batch.messages) digest.bytes += value?.byteLength ?? 0;
    digest.records += batch.messages.length;
    if (digest.records < Number(recordsText)) return;
    process.stdout.write(
      `RESULT ${JSON.stringify({ startedAtMs, firstRecordAtMs, doneAtMs: Date.now(), digest })}\n`,
      // Leaving the group is no part of the work.
      () => process.exit(0),
    );
  },
});
