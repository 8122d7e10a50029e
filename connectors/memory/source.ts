// A log in this process's memory: one list a partition, offset = place in the list. It grows by `append` and is gone
// with the process, so it marks no positions; values are handed out as they are, not copied.
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

const CHUNK_RECORDS = 2048;
const MAX_PARTITIONS = 100_000;

export interface MemorySourceOptions<V> {
  /** One partition's values; null is a record without a value. */
  readonly records?: readonly (V | null)[];
  /** Several partitions' values, in place of `records`. */
  readonly partitions?: readonly (readonly (V | null)[])[];
  /** Default "memory". */
  readonly topic?: string;
  /** true: records without a value are handed out with value null; default false, they are skipped and counted. */
  readonly tombstones?: boolean;
  /**
   * A value's time, ms since the Unix epoch, which must not decrease along a partition; without it records have
   * timestamp −1.
   */
  readonly timestamp?: (value: V) => number;
  /** Default "earliest". */
  readonly startingOffsets?: OffsetSpec;
  readonly endingOffsets?: OffsetSpec;
  /** Default true. */
  readonly failOnDataLoss?: boolean;
}

export interface MemorySource<V, R = V> extends Source<SourceRecord<R, null>> {
  /** Adds values at the end of a partition (default 0), which is made if need be, with those below it. */
  append(values: readonly (V | null)[], to?: { readonly partition?: number }): void;
}

/**
 * A source in memory. `append` on what this returns adds records while a job runs.
 * @throws ConfigError both `records` and `partitions` are given, or neither
 */
export function memorySource<V>(
  options: MemorySourceOptions<V> & { readonly tombstones: true },
): MemorySource<V, V | null>;
export function memorySource<V>(options: MemorySourceOptions<V>): MemorySource<V>;
export function memorySource<V>(options: MemorySourceOptions<V>): MemorySource<V, V | null> {
  const { records, partitions } = options;
  if ((records === undefined) === (partitions === undefined)) {
    throw new ConfigError("memorySource needs records or partitions, and not both", {
      hint: "memorySource({ records: [1, 2, 3] }) or memorySource({ partitions: [[1, 2], [3]] })",
    });
  }
  const log = (partitions ?? [records ?? []]).map((values) => [...values]);
  const growth = new Growth();
  return {
    kind: "memory",
    isInMemory: true,
    startingOffsets: options.startingOffsets ?? "earliest",
    endingOffsets: options.endingOffsets,
    failOnDataLoss: options.failOnDataLoss ?? true,
    async open(_context, signal) {
      signal.throwIfAborted();
      return new MemoryReader(log, growth, options);
    },
    append(values, { partition = 0 } = {}) {
      if (!Number.isInteger(partition) || partition < 0 || partition >= MAX_PARTITIONS) {
        throw new ConfigError(`partition must be a whole number from 0 to ${MAX_PARTITIONS - 1}, not ${partition}`);
      }
      while (log.length <= partition) log.push([]);
      for (const value of values) log[partition]?.push(value);
      growth.happened();
    },
  };
}

/** Tells whoever waits that the log has grown. */
class Growth {
  private readonly waiting = new Set<() => void>();

  happened(): void {
    for (const wake of this.waiting) wake();
  }

  /** Resolves when the log has grown. @throws the signal's reason */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const over = () => {
        this.waiting.delete(wake);
        signal.removeEventListener("abort", giveUp);
      };
      const wake = () => {
        over();
        resolve();
      };
      const giveUp = () => {
        over();
        reject(signal.reason);
      };
      if (signal.aborted) return reject(signal.reason);
      this.waiting.add(wake);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }
}

type MemoryRecord<V> = SourceRecord<V | null, null>;

class MemoryReader<V> implements SourceReader<MemoryRecord<V>> {
  private readonly log: readonly (V | null)[][];
  private readonly growth: Growth;
  private readonly topic: string;
  private readonly options: MemorySourceOptions<V>;

  constructor(log: readonly (V | null)[][], growth: Growth, options: MemorySourceOptions<V>) {
    this.log = log;
    this.growth = growth;
    this.topic = options.topic ?? "memory";
    this.options = options;
  }

  async partitions() {
    return this.log.map((values, partition) => {
      return { topic: this.topic, partition, earliest: 0n, latest: BigInt(values.length) };
    });
  }

  async waitForMore(ends: readonly Position[], signal: AbortSignal): Promise<void> {
    const hasMore = () =>
      this.log.length > ends.length || ends.some((end) => this.valuesOf(end).length > Number(end.offset));
    while (!hasMore()) await this.growth.next(signal);
    signal.throwIfAborted();
  }

  async offsetsAtTime(timestampMs: number): Promise<readonly Position[]> {
    const { timestamp } = this.options;
    if (timestamp === undefined) {
      throw new ConfigError(`the values of topic "${this.topic}" have no timestamps`, {
        hint: "say where a value has its time: memorySource({ timestamp: (value) => …, … }), in ms",
      });
    }
    return this.log.map((values, partition) => {
      const found = values.findIndex((value) => value !== null && timestamp(value) >= timestampMs);
      return { topic: this.topic, partition, offset: BigInt(found === -1 ? values.length : found) };
    });
  }

  async mark(positions: readonly Position[]): Promise<readonly Position[]> {
    return positions;
  }

  async mismatches(): Promise<readonly []> {
    return [];
  }

  async *read(range: OffsetRange, { signal, skip }: ReadOptions): AsyncGenerator<RecordChunk<MemoryRecord<V>>> {
    const { topic, partition, fromOffset, untilOffset } = range;
    const values = this.valuesOf(range);
    const end = Math.min(values.length, Number(untilOffset));
    let next = Number(fromOffset);
    while (next < end) {
      signal.throwIfAborted();
      const until = Math.min(end, next + CHUNK_RECORDS);
      yield this.chunk(range, values, next, until, skip);
      next = until;
    }
    if (BigInt(next) >= untilOffset) return;
    const lost = { topic, partition, fromOffset: BigInt(next), untilOffset };
    throw new DataLossError("a memory source has no such records", [lost], {
      hint: "what was in memory is gone with its process: keep its checkpoint there too (checkpoint: memoryStore())",
    });
  }

  async readRaw({
    topic,
    partition,
    offset,
  }: TopicPartition & { readonly offset: bigint }): Promise<RawRecord | undefined> {
    const value = this.valuesOf({ topic, partition })[Number(offset)];
    if (value === undefined) return undefined;
    const bytes = value === null ? null : new TextEncoder().encode(JSON.stringify(value) ?? String(value));
    return { topic, partition, offset, timestamp: this.timeOf(value), key: null, value: bytes, headers: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The log belongs to the source, which outlives its readers.
  }

  private chunk(
    { topic, partition }: TopicPartition,
    values: readonly (V | null)[],
    from: number,
    until: number,
    skip: ReadonlySet<bigint>,
  ): RecordChunk<MemoryRecord<V>> {
    const records: MemoryRecord<V>[] = [];
    let tombstones = 0;
    for (let at = from; at < until; at++) {
      const value = values[at] ?? null;
      const offset = BigInt(at);
      if (skip.has(offset)) continue;
      if (value === null && this.options.tombstones !== true) tombstones++;
      else records.push({ topic, partition, offset, timestamp: this.timeOf(value), key: null, value, headers: [] });
    }
    return { records, tombstones };
  }

  private timeOf(value: V | null): number {
    return value === null ? -1 : (this.options.timestamp?.(value) ?? -1);
  }

  private valuesOf({ topic, partition }: TopicPartition): readonly (V | null)[] {
    return (topic === this.topic && this.log[partition]) || [];
  }
}
