// The Kafka source's definition: topics of one cluster, read by explicit partitions and offsets. Checks its options;
// the Kafka library is loaded, and connected, when a job opens it.
import {
  bytes,
  ConfigError,
  type Deserializer,
  type OffsetSpec,
  type Source,
  type SourceRecord,
} from "../../runtime/index.ts";
import { checkConnectionOptions, type KafkaConnectionOptions } from "./connection-options.ts";
import { checkTopics } from "./topic-spec.ts";

const DEFAULT_FETCH_MAX_BYTES = 1024 * 1024;
const DEFAULT_MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

export interface KafkaSourceOptions<V, K = Uint8Array> extends KafkaConnectionOptions {
  /** Names, or a pattern: topics that appear while the job runs and match are read too. */
  readonly topics: readonly string[] | string | RegExp;
  /** How a value's bytes become a value; default `bytes()`. */
  readonly value?: Deserializer<V>;
  /** How a key's bytes become a key; default `bytes()`. A record without a key has null. */
  readonly key?: Deserializer<K>;
  /** true: records without a value have value null; default false, they are skipped and counted. */
  readonly tombstones?: boolean;
  /** Default "earliest". */
  readonly startingOffsets?: OffsetSpec;
  readonly endingOffsets?: OffsetSpec;
  /** "read_committed" (default): records of open and aborted transactions are not read. */
  readonly isolation?: "read_committed" | "read_uncommitted";
  /** Default true. */
  readonly failOnDataLoss?: boolean;
  /** Asked for in one fetch of one partition; a larger batch comes all the same. 1 KiB to 1 GiB, default 1 MiB. */
  readonly fetchMaxBytes?: number;
  /**
   * Fetched ahead for the next batches, over all partitions, which share it; 0 to 4 GiB, default 64 MiB. Beside it a
   * task holds two fetches, so that memory depends on these two options and not on the size of batches.
   */
  readonly maxBufferedBytes?: number;
  /**
   * true (default): after each batch the positions are shown as offsets of the consumer group named as the job. They
   * are never read back.
   */
  readonly mirrorOffsetsToGroup?: boolean;
  /** true: that group's offsets may be written over though others wrote them. Default false. */
  readonly adoptGroup?: boolean;
}

/**
 * Reads topics of a Kafka cluster (3.1 or later). No consumer group is joined: the job's own checkpoint says where to
 * read on.
 * @throws ConfigError an option is wrong
 */
export function kafkaSource<V = Uint8Array, K = Uint8Array>(
  options: KafkaSourceOptions<V, K> & { readonly tombstones: true },
): Source<SourceRecord<V | null, K | null>>;
export function kafkaSource<V = Uint8Array, K = Uint8Array>(
  options: KafkaSourceOptions<V, K>,
): Source<SourceRecord<V, K | null>>;
export function kafkaSource(options: KafkaSourceOptions<unknown, unknown>): Source<SourceRecord<unknown, unknown>> {
  const { isolation = "read_committed" } = options;
  if (isolation !== "read_committed" && isolation !== "read_uncommitted") {
    throw new ConfigError(`isolation cannot be ${String(isolation)}`, {
      hint: 'it is "read_committed" or "read_uncommitted"',
    });
  }
  checkConnectionOptions(options, "");
  const topics = checkTopics(options.topics);
  const fetchMaxBytes = checkBytes("fetchMaxBytes", options.fetchMaxBytes ?? DEFAULT_FETCH_MAX_BYTES, 1024, 2 ** 30);
  const buffered = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
  const maxBufferedBytes = checkBytes("maxBufferedBytes", buffered, 0, 2 ** 32);
  return {
    kind: "kafka",
    startingOffsets: options.startingOffsets ?? "earliest",
    endingOffsets: options.endingOffsets,
    failOnDataLoss: options.failOnDataLoss ?? true,
    async open({ jobName, warn }, signal) {
      signal.throwIfAborted();
      const { KafkaReader } = await import("./reader.ts");
      const reader = {
        jobName,
        warn,
        connection: options,
        topics,
        value: options.value ?? bytes(),
        key: options.key ?? bytes(),
        tombstones: options.tombstones ?? false,
        readCommitted: isolation === "read_committed",
        fetchMaxBytes,
        maxBufferedBytes,
        mirrorOffsetsToGroup: options.mirrorOffsetsToGroup ?? true,
        adoptGroup: options.adoptGroup ?? false,
      };
      return await KafkaReader.open(reader, signal);
    },
  };
}

function checkBytes(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ConfigError(`${name} must be a whole number of bytes from ${least} to ${most}, not ${String(value)}`);
}
