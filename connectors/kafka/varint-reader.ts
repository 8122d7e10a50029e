// Kafka's variable-length numbers (zigzag, seven bits a byte, lowest first), as in Protocol Buffers. The reader does
// not look for its end: beyond it every byte reads as zero, so that it always stops, and the caller compares
// `position`.

/** Reads numbers one after the other. */
export class VarintReader {
  readonly bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position: number) {
    this.bytes = bytes;
    this.position = position;
  }

  /** A number of at most 32 bits. */
  readInt(): number {
    const first = this.bytes[this.position++] as number;
    if (first < 128) return (first >>> 1) ^ -(first & 1);
    return this.readLongerInt(first);
  }

  /** A number of at most 64 bits; rounded when it is beyond 2^53. */
  readLong(): number {
    const first = this.bytes[this.position++] as number;
    if (first < 128) return (first >>> 1) ^ -(first & 1);
    return this.readLongerLong(first);
  }

  private readLongerInt(first: number): number {
    let zigzag = first & 127;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.bytes[this.position++] as number;
      zigzag |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  private readLongerLong(first: number): number {
    let zigzag = first & 127;
    let factor = 128;
    for (let more = 1; more < 10; more++) {
      const byte = this.bytes[this.position++] as number;
      zigzag += (byte & 127) * factor;
      if (byte < 128) break;
      factor *= 128;
    }
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }
}
