// The header of a record batch, format v2 (https://kafka.apache.org/documentation/#recordbatch). Reads it, refuses what
// is older or cannot be, and checks the CRC, which covers everything from the attributes on. What comes before it the
// broker writes itself, so that a batch's own numbers are checked against their neighbours by fetched-records.ts.
import { ConfigError, type TopicPartition, TransientError } from "../../runtime/index.ts";
import { crc32c } from "./crc32c.ts";

/** Base offset and length: what a batch's length does not count. */
const BATCH_OVERHEAD_BYTES = 12;
/** Up to the number of records, inclusive. */
const BATCH_HEADER_BYTES = 61;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const CURRENT_MAGIC = 2;
const CODEC_BITS = 0x07;
const LOG_APPEND_TIME_BIT = 0x08;
const TRANSACTIONAL_BIT = 0x10;
const CONTROL_BIT = 0x20;
const TWO_TO_32 = 2 ** 32;

/** Where a batch lies in the bytes that were fetched, and what its header says. Offsets are safe integers. */
export interface BatchHeader {
  /** The first byte of the batch, of its records, and after it. */
  readonly start: number;
  readonly recordsStart: number;
  readonly end: number;
  readonly baseOffset: number;
  /** Inclusive. Compaction keeps it, even when the record is gone. */
  readonly lastOffset: number;
  readonly codec: number;
  readonly isTransactional: boolean;
  /** Holds a transaction's marker in place of records. */
  readonly isControl: boolean;
  readonly producerId: bigint;
  readonly recordCount: number;
  /** Ms since the Unix epoch; records have deltas to it. */
  readonly baseTimestamp: number;
  /** Set when the broker's time counts for every record; ms since the Unix epoch. */
  readonly logAppendTime: number | undefined;
}

/**
 * Reads the header of the batch that begins at `start`.
 * @returns undefined when the bytes end within the batch: a fetch may cut the last one
 * @throws TransientError the header cannot be right
 * @throws ConfigError the messages are of a format before Kafka 0.11
 */
export function readBatchHeader(bytes: Buffer, start: number, partition: TopicPartition): BatchHeader | undefined {
  if (start + MAGIC_AT >= bytes.length) return undefined;
  const baseOffset = readOffset(bytes, start);
  const magic = bytes.readUInt8(start + MAGIC_AT);
  if (magic < CURRENT_MAGIC) throw tooOld(partition, baseOffset, magic);
  if (magic > CURRENT_MAGIC) throw damaged(partition, baseOffset, `its format ${magic} is unknown`);
  const length = bytes.readInt32BE(start + 8);
  if (length < BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES) throw damaged(partition, baseOffset, "it is too short");
  const end = start + BATCH_OVERHEAD_BYTES + length;
  if (end > bytes.length) return undefined;
  const attributes = bytes.readUInt16BE(start + ATTRIBUTES_AT);
  const lastOffset = baseOffset + bytes.readInt32BE(start + 23);
  const recordCount = bytes.readInt32BE(start + 57);
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0 || lastOffset < baseOffset || recordCount < 0) {
    throw damaged(partition, baseOffset, "its header makes no sense");
  }
  return {
    start,
    recordsStart: start + BATCH_HEADER_BYTES,
    end,
    baseOffset,
    lastOffset,
    codec: attributes & CODEC_BITS,
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    producerId: bytes.readBigInt64BE(start + 43),
    recordCount,
    baseTimestamp: readOffset(bytes, start + 27),
    logAppendTime: attributes & LOG_APPEND_TIME_BIT ? readOffset(bytes, start + 35) : undefined,
  };
}

/** Checks the batch's CRC. @throws TransientError it is not what the producer wrote */
export function checkBatchCrc(bytes: Buffer, { start, end, baseOffset }: BatchHeader, partition: TopicPartition): void {
  if (crc32c(bytes, start + ATTRIBUTES_AT, end) === bytes.readUInt32BE(start + CRC_AT)) return;
  throw damaged(partition, baseOffset, "its checksum does not fit");
}

/** A batch whose bytes are not what they must be. Fetching it again may help: it was damaged on its way, or here. */
export function damaged({ topic, partition }: TopicPartition, offset: number, what: string): TransientError {
  return new TransientError(`the batch at ${topic}:${partition}:${offset} is damaged: ${what}`, {
    code: "KAFKA_DAMAGED_BATCH",
    hint: "if it stays so, look at the broker's disk: kafka-dump-log --deep-iteration --files …/00….log",
  });
}

function tooOld({ topic, partition }: TopicPartition, offset: number, magic: number): ConfigError {
  return new ConfigError(
    `the message at ${topic}:${partition}:${offset} is of format ${magic}, which Kafka wrote before 0.11`,
    { hint: "start after it, or copy the topic with a current producer: formats 0 and 1 are not read" },
  );
}

/** A signed 64-bit number, rounded when it is beyond 2^53. */
function readOffset(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4);
}
