// Records made by the clock alone. They are numbered through, in turn over the partitions, from the Unix epoch on:
// record offset × partitions + partition falls due that many × 1000 ÷ rate ms after it. So every record is a function
// of its offset, and a restart or a replay gives the same ones. The clock decides only where the log ends.
import {
  ConfigError,
  DataLossError,
  type OffsetRange,
  type OffsetSpec,
  type Position,
  type RawRecord,
  type ReadOptions,
  type RecordChunk,
  type Source,
  type SourceReader,
  type SourceRecord,
  type TopicPartition,
} from "../../runtime/index.ts";

const MAX_RECORDS_PER_SECOND = 1_000_000;
const MAX_PARTITIONS = 10_000;
const CHUNK_RECORDS = 2048n;

export interface RateSourceOptions {
  /** Over all partitions together; a whole number from 1 to 1,000,000. */
  readonly recordsPerSecond: number;
  /** 1 to 10,000; default 1. */
  readonly partitions?: number;
  /** Default "rate". */
  readonly topic?: string;
  /** Default "latest": offsets count from 1970, so "earliest" is a very long way back. */
  readonly startingOffsets?: OffsetSpec;
  readonly endingOffsets?: OffsetSpec;
  /** The time, ms since the Unix epoch; default `Date.now`. */
  readonly now?: () => number;
}

export interface RateValue {
  /** The record's number over all partitions. */
  readonly value: number;
  /** When it falls due, ms since the Unix epoch, rounded down. */
  readonly timestampMs: number;
}

/**
 * So many records a second, the same ones at every reading.
 * @throws ConfigError a number is out of bounds
 */
export function rateSource(options: RateSourceOptions): Source<SourceRecord<RateValue, null>> {
  const { recordsPerSecond, partitions = 1, topic = "rate", now = Date.now } = options;
  checkCount("recordsPerSecond", recordsPerSecond, MAX_RECORDS_PER_SECOND);
  checkCount("partitions", partitions, MAX_PARTITIONS);
  return {
    kind: "rate",
    startingOffsets: options.startingOffsets ?? "latest",
    endingOffsets: options.endingOffsets,
    failOnDataLoss: true,
    async open(_context, signal) {
      signal.throwIfAborted();
      return new RateReader({ topic, partitions, recordsPerSecond, now });
    },
  };
}

function checkCount(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new ConfigError(`${name} of rateSource must be a whole number from 1 to ${max}, not ${value}`);
}

interface RateReaderOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly recordsPerSecond: number;
  readonly now: () => number;
}

type RateRecord = SourceRecord<RateValue, null>;

class RateReader implements SourceReader<RateRecord> {
  private readonly options: RateReaderOptions;
  private readonly partitionCount: bigint;
  private readonly perSecond: bigint;
  /** Another rate is another log. */
  private readonly logMark: string;

  constructor(options: RateReaderOptions) {
    this.options = options;
    this.partitionCount = BigInt(options.partitions);
    this.perSecond = BigInt(options.recordsPerSecond);
    this.logMark = `${options.recordsPerSecond}/s in ${options.partitions}`;
  }

  async partitions() {
    const ends = this.positionsAt(this.options.now());
    return ends.map(({ topic, partition, offset }) => ({ topic, partition, earliest: 0n, latest: offset }));
  }

  async offsetsAtTime(timestampMs: number): Promise<readonly Position[]> {
    return this.positionsAt(Math.min(timestampMs, this.options.now()));
  }

  async mark(positions: readonly Position[]): Promise<readonly Position[]> {
    return positions.map((position) => ({ ...position, mark: this.logMark }));
  }

  async mismatches(positions: readonly Position[]): Promise<readonly { position: Position; reason: string }[]> {
    return positions
      .filter(({ mark }) => mark !== undefined && mark !== this.logMark)
      .map((position) => ({ position, reason: `the rate was ${position.mark}, now it is ${this.logMark}` }));
  }

  async *read(range: OffsetRange, { signal, skip }: ReadOptions): AsyncGenerator<RecordChunk<RateRecord>> {
    const { topic, partition, untilOffset } = range;
    if (topic !== this.options.topic || partition >= this.options.partitions) {
      throw new DataLossError("the rate source has no such partition", [range]);
    }
    let offset = range.fromOffset;
    while (offset < untilOffset) {
      signal.throwIfAborted();
      const until = offset + CHUNK_RECORDS < untilOffset ? offset + CHUNK_RECORDS : untilOffset;
      const records: RateRecord[] = [];
      for (; offset < until; offset++) if (!skip.has(offset)) records.push(this.record(partition, offset));
      yield { records, tombstones: 0 };
    }
  }

  async readRaw({
    topic,
    partition,
    offset,
  }: TopicPartition & { readonly offset: bigint }): Promise<RawRecord | undefined> {
    if (topic !== this.options.topic || partition >= this.options.partitions) return undefined;
    const { timestamp, value } = this.record(partition, offset);
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    return { topic, partition, offset, timestamp, key: null, value: bytes, headers: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }

  /** For each partition the first record that falls due at or after a time. */
  private positionsAt(timestampMs: number): Position[] {
    const first = roundUp(BigInt(Math.max(0, Math.ceil(timestampMs))) * this.perSecond, 1000n);
    return Array.from({ length: this.options.partitions }, (_, partition) => {
      const number = BigInt(partition);
      const offset = number >= first ? 0n : roundUp(first - number, this.partitionCount);
      return { topic: this.options.topic, partition, offset };
    });
  }

  private record(partition: number, offset: bigint): RateRecord {
    const number = offset * this.partitionCount + BigInt(partition);
    const timestampMs = Number((number * 1000n) / this.perSecond);
    const value: RateValue = { value: Number(number), timestampMs };
    return { topic: this.options.topic, partition, offset, timestamp: timestampMs, key: null, value, headers: [] };
  }
}

function roundUp(numerator: bigint, denominator: bigint): bigint {
  return (numerator + denominator - 1n) / denominator;
}
