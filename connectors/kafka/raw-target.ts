// Takes one record as it is, for a dead letter: its bytes copied, whatever they are.
import type { RawRecord, RecordParts, TopicPartition } from "../../runtime/index.ts";
import type { RecordTarget } from "./batch-records.ts";

/** Keeps the record at one offset. */
export class RawTarget implements RecordTarget {
  /** undefined: it was not offered. */
  record: RawRecord | undefined;
  private readonly at: TopicPartition & { readonly offset: bigint };

  constructor(at: TopicPartition & { readonly offset: bigint }) {
    this.at = at;
  }

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
  ): void {
    const { topic, partition } = this.at;
    if (BigInt(offset) !== this.at.offset) return;
    const value = copy(buffer, valueStart, valueEnd);
    const key = copy(buffer, keyStart, keyEnd);
    this.record = { topic, partition, offset: this.at.offset, timestamp, key, value, headers: parts.headers(at) };
  }
}

function copy(buffer: Buffer, start: number, end: number): Uint8Array | null {
  return start < 0 ? null : new Uint8Array(buffer.subarray(start, end));
}
