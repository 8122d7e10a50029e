// Builds one record batch, format v2 (https://kafka.apache.org/documentation/#recordbatch): encoded records are
// appended one by one, and `finish` puts the header before them, with the producer's numbers, which are known only when
// it is sent. Records carry no time of their own: the batch's, when it is finished, counts for all.
import type { Codec } from "./compress.ts";
import { crc32c } from "./crc32c.ts";
import { RecordBytes, varintSize } from "./record-bytes.ts";

const FIRST_CAPACITY = 4 * 1024;
/** Up to the number of records, inclusive. */
const HEADER_BYTES = 61;
const CURRENT_MAGIC = 2;
const TRANSACTIONAL_BIT = 0x10;
const NO_PRODUCER = -1n;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
/** Base offset and length, which a batch's length does not count. */
const OVERHEAD_BYTES = 12;
/** Attributes and the time's difference, both 0. */
const FIXED_BYTES = 2;
/** Length, attributes, time's difference, offset's difference: what comes before a record's key, at most. */
const MAX_PREFIX_BYTES = 12;

/** Who sends a batch. */
export interface BatchStamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** The number of the batch's first record among all that this producer sends to the partition. */
  readonly baseSequence: number;
  /** Ms since the Unix epoch. */
  readonly timestamp: number;
}

/** Stamps a batch that is in no transaction: the broker counts nothing, and a batch sent twice is there twice. */
export function plainStamp(): BatchStamp {
  return { producerId: NO_PRODUCER, producerEpoch: -1, baseSequence: -1, timestamp: Date.now() };
}

/** A record batch under construction; all of it is one partition's. */
export class RecordBatchWriter {
  recordCount = 0;
  private readonly out: RecordBytes;

  /** @param capacity a guess of its size in bytes */
  constructor(capacity = FIRST_CAPACITY) {
    this.out = new RecordBytes(capacity, HEADER_BYTES);
  }

  /** What it takes now, uncompressed. */
  get sizeBytes(): number {
    return this.out.length;
  }

  /** What it would take at most with one more record, whose body has `bodyBytes`. */
  sizeWith(bodyBytes: number): number {
    return this.out.length + bodyBytes + MAX_PREFIX_BYTES;
  }

  /** Appends the record whose body (key, value and headers, encoded) is `bytes` from `start` to `end` (exclusive). */
  append(bytes: Buffer, start: number, end: number): void {
    const { out, recordCount } = this;
    const bodyBytes = end - start;
    out.reserve(bodyBytes + MAX_PREFIX_BYTES);
    out.putVarint(FIXED_BYTES + varintSize(recordCount) + bodyBytes);
    out.putVarint(0);
    out.putVarint(0);
    out.putVarint(recordCount);
    bytes.copy(out.bytes, out.length, start, end);
    out.length += bodyBytes;
    this.recordCount++;
  }

  /**
   * The whole batch, ready to be sent; in a transaction, if its stamp names a producer. Called once, after the last
   * `append`.
   */
  finish(codec: Codec, { producerId, producerEpoch, baseSequence, timestamp }: BatchStamp): Buffer {
    const batch = this.packed(codec);
    const time = BigInt(timestamp);
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - OVERHEAD_BYTES, 8);
    // The leader's epoch is the broker's to know.
    batch.writeInt32BE(-1, 12);
    batch.writeInt8(CURRENT_MAGIC, 16);
    batch.writeInt16BE(codec.id | (producerId === NO_PRODUCER ? 0 : TRANSACTIONAL_BIT), ATTRIBUTES_AT);
    batch.writeInt32BE(this.recordCount - 1, 23);
    batch.writeBigInt64BE(time, 27);
    batch.writeBigInt64BE(time, 35);
    batch.writeBigInt64BE(producerId, 43);
    batch.writeInt16BE(producerEpoch, 51);
    batch.writeInt32BE(baseSequence, 53);
    batch.writeInt32BE(this.recordCount, 57);
    batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT, batch.length), CRC_AT);
    return batch;
  }

  /** The records, compressed, with room for the header before them. */
  private packed({ compress }: Codec): Buffer {
    const { bytes, length } = this.out;
    if (compress === undefined) return bytes.subarray(0, length);
    const compressed = compress(bytes.subarray(HEADER_BYTES, length));
    const batch = Buffer.allocUnsafeSlow(HEADER_BYTES + compressed.length);
    compressed.copy(batch, HEADER_BYTES);
    return batch;
  }
}
