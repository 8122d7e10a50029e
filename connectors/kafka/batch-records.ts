// The records of one batch, in order, offered one by one to a target with their places in the bytes: nothing is copied.
// It can stop after any record and go on later. This is the hottest loop of reading Kafka; every length is
// checked against the end before it is used, because a checksum says nothing of a producer's intentions.
import type { RecordParts, TopicPartition } from "../../runtime/index.ts";
import { decompress, UNCOMPRESSED } from "./decompress.ts";
import { type BatchHeader, checkBatchCrc, damaged } from "./record-batch.ts";
import { BatchParts, skipField } from "./record-parts.ts";
import { VarintReader } from "./varint-reader.ts";

const ABSENT = -1;

/** Takes records; `RecordDecoder` is one. */
export interface RecordTarget {
  /**
   * Starts are inclusive, ends exclusive, −1 and −1 where there is no value or key. Bytes are valid during the call,
   * and as long as `parts` is kept; `at` is the record's place in it.
   */
  add(
    buffer: Buffer,
    offset: number,
    timestamp: number,
    valueStart: number,
    valueEnd: number,
    keyStart: number,
    keyEnd: number,
    parts: RecordParts,
    at: number,
  ): void;
}

/** How much one chunk may hold; counted down while records are taken. */
export interface ChunkBudget {
  records: number;
  bytes: number;
}

/** Reads the records of one batch. */
export class BatchRecords {
  private readonly header: BatchHeader;
  private readonly partition: TopicPartition;
  private readonly reader: VarintReader;
  private readonly parts: RecordParts;
  private readonly end: number;
  private left: number;
  private lastOffset: number;

  /** Checks and decompresses the batch. @throws TransientError it is damaged */
  constructor(bytes: Buffer, header: BatchHeader, partition: TopicPartition) {
    checkBatchCrc(bytes, header, partition);
    this.header = header;
    this.partition = partition;
    this.left = header.recordCount;
    this.lastOffset = header.baseOffset - 1;
    if (header.codec === UNCOMPRESSED) {
      this.reader = new VarintReader(bytes, header.recordsStart);
      this.end = header.end;
      this.parts = new BatchParts(bytes);
      return;
    }
    try {
      const records = decompress(header.codec, bytes.subarray(header.recordsStart, header.end));
      this.reader = new VarintReader(records, 0);
      this.end = records.length;
      this.parts = new BatchParts(records);
    } catch (error) {
      throw this.damaged(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Offers the records from `fromOffset` (inclusive) to `untilOffset` (exclusive) that the budget has room for; what
   * comes before them is passed over.
   * @returns whether all that is left of the batch lies at `untilOffset` or after it, or nothing is left
   */
  offer(target: RecordTarget, fromOffset: number, untilOffset: number, budget: ChunkBudget): boolean {
    const { reader, end, parts } = this;
    const { bytes } = reader;
    const { baseOffset, lastOffset, baseTimestamp, logAppendTime } = this.header;
    while (this.left > 0) {
      if (budget.records <= 0 || budget.bytes <= 0) return false;
      const start = reader.position;
      const length = reader.readInt();
      const recordEnd = reader.position + length;
      if (length < 0 || !(recordEnd <= end)) throw this.damaged("a record is longer than its batch");
      // The record's attributes are one unused byte.
      reader.position++;
      const timestampDelta = reader.readLong();
      const offset = baseOffset + reader.readInt();
      if (offset <= this.lastOffset || offset > lastOffset) throw this.damaged("its offsets are not in order");
      if (offset >= untilOffset) {
        reader.position = start;
        return true;
      }
      this.lastOffset = offset;
      this.left--;
      if (offset >= fromOffset) {
        const at = reader.position;
        const keyLength = reader.readInt();
        const keyStart = reader.position;
        const keyEnd = keyLength >= 0 ? keyStart + keyLength : keyStart;
        reader.position = keyEnd;
        const valueLength = reader.readInt();
        const valueStart = reader.position;
        const valueEnd = valueLength >= 0 ? valueStart + valueLength : valueStart;
        reader.position = valueEnd;
        const headerCount = reader.readInt();
        if (!(reader.position <= recordEnd) || headerCount < 0)
          throw this.damaged("a record's fields do not fit in it");
        if (headerCount > 0) this.checkHeaders(headerCount, recordEnd);
        target.add(
          bytes,
          offset,
          logAppendTime ?? baseTimestamp + timestampDelta,
          valueLength < 0 ? ABSENT : valueStart,
          valueLength < 0 ? ABSENT : valueEnd,
          keyLength < 0 ? ABSENT : keyStart,
          keyLength < 0 ? ABSENT : keyEnd,
          parts,
          at,
        );
        budget.records--;
        budget.bytes -= length;
      }
      reader.position = recordEnd;
    }
    return true;
  }

  /** @throws TransientError they do not end within their record */
  private checkHeaders(count: number, recordEnd: number): void {
    const { reader } = this;
    for (let part = 0; part < count * 2; part++) {
      skipField(reader);
      if (!(reader.position <= recordEnd)) throw this.damaged("a header does not fit in its record");
    }
  }

  private damaged(what: string): Error {
    return damaged(this.partition, this.header.baseOffset, what);
  }
}
