// The Kafka sink's definition: each batch's rows, and its marker, are one transaction. Exactly-once for whoever reads
// with read_committed. Checks its options; the Kafka library is loaded, and connected, when a job opens it.
import { ConfigError, type Sink } from "../../runtime/index.ts";
import type { Compression } from "./compress.ts";
import { checkConnectionOptions, type KafkaConnectionOptions } from "./connection-options.ts";
import { KafkaRowEncoder } from "./row-encoder.ts";
import { getterOf, isTopicName, type RowHeaders, type RowPart } from "./row-fields.ts";

const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];
const DEFAULT_MARKER_TOPIC = "tidemark-markers";
const DEFAULT_TRANSACTION_TIMEOUT_MS = 300_000;
const DEFAULT_RECORD_BATCH_MAX_BYTES = 512 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
const HINTS = {
  transactionalId: 'transactionalId: "my-job-payments"',
  markerTopic: `a topic of its own; default "${DEFAULT_MARKER_TOPIC}"`,
};

export interface KafkaSinkOptions<C extends string, Row> extends KafkaConnectionOptions {
  /** Must exist; or a function that names each row's. */
  readonly topic: string | ((row: Row) => string);
  /**
   * Strings are written as UTF-8, bytes as they are, numbers as their decimal text; null is no key. Default: no key.
   */
  readonly key?: RowPart<Row, C, string | Uint8Array | number | bigint | boolean | null>;
  /** Strings as UTF-8, bytes as they are, null as a tombstone, all else as JSON. Default: the row as JSON. */
  readonly value?: RowPart<Row, C, unknown>;
  /**
   * By number, from 0. Where it is left out, undefined or null, a key goes where Java's producers put it, and rows
   * without a key to one partition after the other.
   */
  readonly partition?: RowPart<Row, C, number | null | undefined>;
  readonly headers?: RowPart<Row, C, RowHeaders | null | undefined>;
  /** Default "none". */
  readonly compression?: Compression;
  /** Of one record batch, before compression; 1 KiB to 64 MiB, default 512 KiB. A single record may be larger. */
  readonly recordBatchMaxBytes?: number;
  /**
   * How long a batch may take from its first row to its commit before the broker gives it up, at least 1,000; default
   * 300,000. Brokers allow up to transaction.max.timeout.ms, 15 minutes unless set. Should this process die and not
   * come back, consumers with read_committed wait for so long.
   */
  readonly transactionTimeoutMs?: number;
  /** Unique for each sink in the cluster; default `tidemark-<job>.<topic>`. A changed one forgets what was written. */
  readonly transactionalId?: string;
  /** The compacted topic that says which batches were written; made when it is missing. Default "tidemark-markers". */
  readonly markerTopic?: string;
}

/**
 * Writes rows as records to a Kafka topic (3.1 or later), one transaction a batch; all replicas that are in sync have
 * them before a batch counts as written. Exactly-once.
 * @throws ConfigError an option is wrong
 */
export function kafkaSink<const C extends string = never, Row = object & { readonly [P in C]: unknown }>(
  options: KafkaSinkOptions<C, Row>,
): Sink<Row> {
  const { topic, compression = "none", markerTopic = DEFAULT_MARKER_TOPIC, transactionalId } = options;
  checkConnectionOptions(options, "");
  checkTopic(topic);
  if (!COMPRESSIONS.includes(compression)) {
    throw new ConfigError(`compression cannot be "${String(compression)}"`, { hint: `use ${COMPRESSIONS.join(", ")}` });
  }
  checkName("transactionalId", transactionalId, (name) => typeof name === "string" && name !== "");
  checkName("markerTopic", markerTopic, (name) => isTopicName(name) && name !== topic);
  const { transactionTimeoutMs = DEFAULT_TRANSACTION_TIMEOUT_MS, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } =
    options;
  const { recordBatchMaxBytes = DEFAULT_RECORD_BATCH_MAX_BYTES } = options;
  checkNumber("transactionTimeoutMs", transactionTimeoutMs, 1000, 2 ** 31 - 1);
  checkNumber("recordBatchMaxBytes", recordBatchMaxBytes, 1024, 64 * 1024 * 1024);
  const fixedTopic = typeof topic === "string" ? topic : undefined;
  const shape = {
    topic: fixedTopic ?? (topic as (row: unknown) => unknown),
    key: getterOf(options.key),
    value: getterOf(options.value),
    partition: getterOf(options.partition),
    headers: getterOf(options.headers),
  };
  return {
    kind: "kafka",
    guarantee: "exactly-once",
    ...(fixedTopic === undefined ? {} : { target: fixedTopic }),
    encodesToBytes: true,
    tasksInAnyOrder: true,
    encoder: () => new KafkaRowEncoder(shape),
    async open(context, signal) {
      signal.throwIfAborted();
      const [{ KafkaSinkWriter }, { codecs }] = await Promise.all([
        import("./sink-writer.ts"),
        import("./compress.ts"),
      ]);
      const writer = {
        connection: options,
        topic: fixedTopic,
        transactionalId: transactionalId ?? `tidemark-${context.jobName}.${fixedTopic ?? "*"}`,
        transactionTimeoutMs,
        // The broker's answer must come before the connection's own deadline.
        produceTimeoutMs: Math.ceil(requestTimeoutMs * 0.8),
        markerTopic,
        codec: codecs[compression],
        recordBatchMaxBytes,
        brokersMayAddPartitions: true,
      };
      return await KafkaSinkWriter.open(writer, context, signal);
    },
  };
}

function checkTopic(topic: unknown): void {
  if (typeof topic === "function" || isTopicName(topic)) return;
  throw new ConfigError("kafkaSink needs a topic to write to", {
    hint: 'topic: "payments", or a function of the row: topic: (row) => row.country',
  });
}

function checkName(name: keyof typeof HINTS, value: unknown, isRight: (value: unknown) => boolean): void {
  if (value === undefined || isRight(value)) return;
  throw new ConfigError(`${name} of kafkaSink cannot be ${JSON.stringify(value)}`, { hint: HINTS[name] });
}

function checkNumber(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new ConfigError(`${name} must be a whole number from ${least} to ${most}, not ${String(value)}`);
}
