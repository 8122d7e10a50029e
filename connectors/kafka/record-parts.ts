// Key and headers of a batch's records, read out of the batch's bytes when somebody asks for them. What is given out is
// a copy. The bytes were checked when the records were offered, and stay in memory as long as one of these records
// does.
import type { Header, RecordParts } from "../../runtime/index.ts";
import { VarintReader } from "./varint-reader.ts";

const EMPTY = new Uint8Array(0);
const WINDOW_BYTES = 16 * 1024;
const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** The parts of all records of one batch; where one begins is the place of its key's length. */
export class BatchParts implements RecordParts {
  private readonly bytes: Buffer;
  /** The copy of the bytes from `windowStart` to `windowEnd` (exclusive). */
  private window: Uint8Array = EMPTY;
  private windowStart = 0;
  private windowEnd = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  key(at: number): Uint8Array | null {
    const reader = new VarintReader(this.bytes, at);
    const length = reader.readInt();
    return length < 0 ? null : copy(this.bytes, reader.position, reader.position + length);
  }

  /** Copying many at once is several times faster; each keeps some thousand bytes in memory, and not all of a fetch. */
  copy(start: number, end: number): Uint8Array {
    if (start < this.windowStart || end > this.windowEnd) {
      this.windowStart = start;
      this.windowEnd = Math.max(end, Math.min(start + WINDOW_BYTES, this.bytes.length));
      this.window = new Uint8Array(this.bytes.subarray(start, this.windowEnd));
    }
    return new Uint8Array(this.window.buffer, start - this.windowStart, end - start);
  }

  headers(at: number): readonly Header[] {
    const reader = new VarintReader(this.bytes, at);
    skipField(reader);
    skipField(reader);
    const count = reader.readInt();
    if (count === 0) return NO_HEADERS;
    const headers: Header[] = [];
    for (let index = 0; index < count; index++) {
      const nameEnd = readLength(reader) + reader.position;
      const name = this.bytes.toString("utf8", reader.position, nameEnd);
      reader.position = nameEnd;
      const valueEnd = readLength(reader) + reader.position;
      headers.push([name, copy(this.bytes, reader.position, valueEnd)]);
      reader.position = valueEnd;
    }
    return headers;
  }
}

/** Passes over a length and the bytes that it counts. */
export function skipField(reader: VarintReader): void {
  const length = readLength(reader);
  reader.position += length;
}

/** A length; a null, which has none, counts as 0. */
function readLength(reader: VarintReader): number {
  return Math.max(0, reader.readInt());
}

function copy(bytes: Buffer, start: number, end: number): Uint8Array {
  return start === end ? EMPTY : new Uint8Array(bytes.subarray(start, end));
}
