// Rows, marker, entry and the group's offsets: one transaction where sink and store are the same cluster and user, two
// where they are not, and exact both times. Told by Kafka's own tools, which read the brokers' logs.
import { randomBytes } from "node:crypto";
import { map } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type KafkaStoreOptions, kafkaStore } from "../../checkpoints/kafka.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { ConfigError, defineJob, json, type LogWriter, runJob, type SinkContext } from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import { BrokerTopics, message } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";
import { add, batchOf, begin, openSink, writeBatch } from "./sink-batches.ts";
import { transactionState, untilTransactionRests } from "./transaction-state.ts";
import { transactionsInLog } from "./transactions-in-log.ts";

const RECORDS = 200;
const BATCHES = 5;
/** Of __consumer_offsets on the test's broker. */
const OFFSETS_PARTITIONS = 4;
const LINEAGE = "0123456789abcdef0123456789abcdef";
const signal = AbortSignal.timeout(600_000);

let kafka: KafkaAddresses;
let topics: BrokerTopics;
let brokers: string[];
beforeAll(async () => {
  kafka = await kafkaServer();
  brokers = [kafka.bootstrap];
  topics = new BrokerTopics(kafka.bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

type CommitMode = "batch" | { readonly autoCommitIntervalMs: number };

const newName = () => `joint-${randomBytes(5).toString("hex")}`;
const numbers = Array.from({ length: RECORDS }, (_, id) => id);

/** A job of five batches from a topic to another, with an entries topic and a marker topic of its own. */
async function newJob(store: Partial<KafkaStoreOptions> = {}) {
  const name = newName();
  const [input, output] = [await topics.create(1), await topics.create(1)];
  await topics.produce(
    input,
    numbers.map((id) => message(0, JSON.stringify({ id }))),
  );
  const [entries, markers] = [`${name}-entries`, `${name}-markers`];
  const job = (more: Partial<KafkaStoreOptions> = {}, commit: CommitMode = "batch") =>
    defineJob({
      name,
      source: kafkaSource({ brokers, topics: input, value: json<{ id: number }>() }),
      pipeline: (records$) => records$.pipe(map(({ value }) => value)),
      sink: kafkaSink({ brokers, topic: output, markerTopic: markers }),
      checkpoint: kafkaStore({ brokers, topic: entries, ...store, ...more }),
      trigger: "available-now",
      commit,
      maxOffsetsPerBatch: RECORDS / BATCHES,
    });
  const settled = async () => {
    await untilTransactionRests(kafka.bootstrap, `${entries}/${name}`);
    await untilTransactionRests(kafka.bootstrap, `tidemark-${name}.${output}`);
  };
  const ids = async () => {
    await settled();
    const rows = await readTopic(kafkaSource({ brokers, topics: output, value: json<{ id: number }>() }));
    return rows.map(({ id }) => id);
  };
  return { name, job, input, output, entries, markers, settled, ids };
}

/** Where Kafka keeps a group's offsets: by Java's hash of its name. */
function offsetsPartitionOf(group: string): number {
  const hash = [...group].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) | 0, 0);
  return Math.abs(hash) % OFFSETS_PARTITIONS;
}

/** What a read_committed consumer of Kafka's own sees. */
async function seenByJava(topic: string, records: number): Promise<string[]> {
  const from = ["--bootstrap-server", kafka.bootstrap, "--topic", topic, "--from-beginning"];
  const until = ["--isolation-level", "read_committed", "--max-messages", `${records}`, "--timeout-ms", "20000"];
  const { stdout } = await runKafkaTool("console-consumer", [...from, ...until], { signal });
  return stdout.split("\n").filter((line) => line !== "");
}

it("writes a batch's rows, marker, entry and the group's offsets in one transaction", async () => {
  const { name, job, output, entries, markers, settled } = await newJob();
  expect(await runJob(job())).toMatchObject({ batches: BATCHES, rows: RECORDS });
  await settled();
  const ofRows = await transactionsInLog(output, 0, signal);
  expect(ofRows).toHaveLength(BATCHES);
  expect(await transactionsInLog(markers, 0, signal)).toEqual(ofRows);
  const ofEntries = await transactionsInLog(entries, 0, signal);
  expect(ofEntries.filter((transaction) => ofRows.includes(transaction))).toEqual(ofRows);
  const ofOffsets = await transactionsInLog("__consumer_offsets", offsetsPartitionOf(name), signal);
  expect(ofOffsets).toEqual(expect.arrayContaining(ofRows));
  const rows = await seenByJava(output, RECORDS);
  expect(rows).toEqual(numbers.map((id) => JSON.stringify({ id })));
});

it("shows no row when the entry is refused in their transaction, and all of them later, once", async () => {
  const { name, job, input, ids } = await newJob();
  const strange = { partition: 0, offset: 4n };
  await topics.admin.alterConsumerGroupOffsets({
    groupId: name,
    topics: [{ name: input, partitionOffsets: [strange] }],
  });
  const failure = await runJob(job()).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConfigError);
  expect(failure).toMatchObject({ hint: expect.stringContaining("adoptGroup: true") });
  expect(await ids()).toEqual([]);
  expect(await runJob(job({ adoptGroup: true }))).toMatchObject({ batches: BATCHES, alreadyWritten: 0 });
  expect(await ids()).toEqual(numbers);
});

it("does not write the rows as another user than the sink's, and has each of them once all the same", async () => {
  const { username, password } = kafka.users.plain;
  const sasl = { mechanism: "PLAIN", username, password } as const;
  const { job, output, entries, ids } = await newJob({ brokers: [kafka.saslBootstrap], sasl });
  expect(await runJob(job())).toMatchObject({ batches: BATCHES, rows: RECORDS });
  expect(await ids()).toEqual(numbers);
  const ofEntries = await transactionsInLog(entries, 0, signal);
  for (const transaction of await transactionsInLog(output, 0, signal)) expect(ofEntries).not.toContain(transaction);
});

it("leaves rows their own transactions when those may take longer than the log's", async () => {
  const { job, output, entries, ids } = await newJob({ transactionTimeoutMs: 60_000 });
  expect(await runJob(job())).toMatchObject({ batches: BATCHES });
  expect(await ids()).toEqual(numbers);
  const ofEntries = await transactionsInLog(entries, 0, signal);
  for (const transaction of await transactionsInLog(output, 0, signal)) expect(ofEntries).not.toContain(transaction);
});

it("has every row when batches run without recorded plans", async () => {
  const { job, output, settled } = await newJob();
  await runJob(job({}, { autoCommitIntervalMs: 20 }));
  await settled();
  const rows = await seenByJava(output, RECORDS);
  expect(rows).toEqual(numbers.map((id) => JSON.stringify({ id })));
});

/** A sink to a new topic, a log, and the sink opened with what the log offers. */
async function openJoint() {
  const output = await topics.create(1);
  const store = kafkaStore({ brokers, topic: `${newName()}-entries` });
  const jobName = newName();
  const sink = kafkaSink<never, number>({ brokers, topic: output, recordBatchMaxBytes: 1024 });
  const open = async (log: LogWriter, epoch: bigint) => {
    const logTransactions = log.transactions;
    const context: SinkContext = {
      ...{ jobName: "tests", baseDir: ".", warn: () => undefined, lineageId: LINEAGE, epoch },
      logTransactions,
    };
    return await sink.open(context, signal);
  };
  const takeOver = () => store.takeOver(jobName, next("begin"), signal, LINEAGE);
  const rows = async () => {
    await untilTransactionRests(kafka.bootstrap, store.url.replace(/^.*\//, "").concat(`/${jobName}`));
    return await readTopic(kafkaSource({ brokers, topics: output, value: json<number>() }));
  };
  return { output, store, jobName, sink, open, takeOver, rows };
}

it("knows batches that it wrote before it could join, and the other way round", async () => {
  const { store, sink, open, takeOver } = await openJoint();
  await using _ = store;
  {
    await using alone = await openSink(sink, 0n);
    expect(await writeBatch(sink, alone, batchOf(0), [1, 2])).toBe(true);
  }
  await using log = await takeOver();
  {
    await using joint = await open(log, 1n);
    expect(await joint.begin(batchOf(0))).toBe("already-written");
    await using write = await begin(joint, batchOf(1));
    await add(sink, write, [3]);
    expect(write.transaction !== undefined && log.canJoin?.(write.transaction)).toBe(true);
    expect(await log.append(1n, entry("1"), [], signal, write.transaction)).toEqual({ is: "appended" });
  }
  await using alone = await openSink(sink, 2n);
  expect(await alone.begin(batchOf(1))).toBe("already-written");
});

it("takes over at once from a writer that is frozen with rows and entry in its transaction", async () => {
  const { store, jobName, sink, open, takeOver, rows } = await openJoint();
  await using _ = store;
  await using frozen = await takeOver();
  await using joint = await open(frozen, 0n);
  await using write = await begin(joint, batchOf(0));
  await add(sink, write, numbers);
  await add(sink, write, numbers);
  const transactionalId = `${store.url.replace(/^.*\//, "")}/${jobName}`;
  expect(await transactionState(kafka.bootstrap, transactionalId)).toBe("Ongoing");

  const beganMs = performance.now();
  expect(await store.bounds(jobName, signal)).toEqual({ first: 0n, head: 0n });
  await using current = await takeOver();
  expect(performance.now() - beganMs).toBeLessThan(10_000);
  await using newer = await open(current, 1n);
  expect(await frozen.append(1n, entry("frozen"), [], signal, write.transaction).catch(() => "refused")).not.toEqual({
    is: "appended",
  });
  await using again = await begin(newer, batchOf(0));
  await add(sink, again, [7]);
  expect(await current.append(2n, entry("rows"), [], signal, again.transaction)).toEqual({ is: "appended" });
  expect(await rows()).toEqual([7]);
});

it("gives a batch up without a trace, and prunes between batches while rows are on their way", async () => {
  const { store, sink, open, takeOver, rows, jobName } = await openJoint();
  await using _ = store;
  await using log = await takeOver();
  for (let seq = 1n; seq <= 5n; seq++) await log.append(seq, entry(`${seq}`), [], signal);
  await using joint = await open(log, 0n);
  let pruning: Promise<void>;
  {
    await using write = await begin(joint, batchOf(0));
    await add(sink, write, numbers);
    pruning = log.prune(4n, signal);
    // Outside of the transaction.
    await log.beat({ epoch: 0n, beat: 1, atMs: 1, everyMs: 1, host: "h", pid: 1, stopped: false }, signal);
    expect(await store.bounds(jobName, signal)).toEqual({ first: 0n, head: 5n });
  }
  await pruning;
  expect(await store.bounds(jobName, signal)).toEqual({ first: 4n, head: 5n });
  await using write = await begin(joint, batchOf(0));
  await add(sink, write, [1]);
  expect(await log.append(6n, entry("6"), [], signal, write.transaction)).toEqual({ is: "appended" });
  expect(await rows()).toEqual([1]);
});
