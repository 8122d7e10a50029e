// Run by node-clients.ts: @platformatic/kafka's consumer as its users write it, a stream in a group, counting bytes.
// Arguments: brokers, topic, records, group.
import { Consumer } from "@platformatic/kafka";

const [brokers = "", topic = "", recordsText = "0", groupId = ""] = process.argv.slice(2);
const startedAtMs = Date.now();
let firstRecordAtMs = 0;
const digest = { records: 0, bytes: 0 };
const consumer = new Consumer({ clientId: "bench", groupId, bootstrapBrokers: brokers.split(",") });
const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: false, maxBytes: 8 << 20 });
for await (const { value } of stream) {
  if (digest.records === 0) firstRecordAtMs = Date.now();
  digest.records++;
  digest.bytes += value.byteLength;
  if (digest.records === Number(recordsText)) break;
}
process.stdout.write(
  `RESULT ${JSON.stringify({ startedAtMs, firstRecordAtMs, doneAtMs: Date.now(), digest })}\n`,
  // Leaving the group is no part of the work.
  () => process.exit(0),
);
