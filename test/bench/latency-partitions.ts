// Run by latency.ts: the same number of records in however many partitions a topic has; loads them, or reads them to
// the end in ten batches and says what that took from the first batch on. Arguments: load or read, brokers, topic,
// records, a folder.
import { randomBytes } from "node:crypto";
import { map } from "rxjs";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, json, runJob } from "../../runtime/index.ts";

const [verb, brokersText = "", topic = "", recordsText = "0", baseDir = "."] = process.argv.slice(2);
const [brokers, records] = [brokersText.split(","), Number(recordsText)];
const name = `partitions-${randomBytes(4).toString("hex")}`;
const bounded = { name, trigger: "available-now", maxOffsetsPerBatch: records / 10 } as const;

if (verb === "load") {
  const job = defineJob({
    ...bounded,
    source: memorySource({ records: Array.from({ length: records }, (_, id) => id) }),
    pipeline: (all$) =>
      all$.pipe(map(({ value: id }) => ({ id, user: `u${(id * 7919) % 100_000}`, amount: id % 1000 }))),
    sink: kafkaSink({ brokers, topic, key: "user" }),
    checkpoint: "memory:",
  });
  await runJob(job, { baseDir });
} else {
  let begun: { atMs: number; cpu: NodeJS.CpuUsage } | undefined;
  const source = kafkaSource({ brokers, topics: [topic], value: json<{ id: number }>(), mirrorOffsetsToGroup: false });
  const job = defineJob({
    ...bounded,
    source,
    pipeline: (all$) => all$.pipe(map(({ value }) => value.id)),
    sink: () => {},
    checkpoint: "file:checkpoint",
  });
  const result = await runJob(job, {
    baseDir,
    onEvent: ({ type }) => {
      // The first batch loads and compiles.
      if (type === "completed") begun ??= { atMs: performance.now(), cpu: process.cpuUsage() };
    },
  });
  if (result.records !== records) throw new Error(`${result.records} records instead of ${records}`);
  const { user, system } = process.cpuUsage(begun?.cpu);
  const wallMs = Math.round(performance.now() - (begun?.atMs ?? 0));
  process.stdout.write(JSON.stringify({ cpuMs: Math.round((user + system) / 1000), wallMs }));
}
