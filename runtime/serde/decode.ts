// The record decoder: turns the raw records of one partition, offered in offset order, into records with values. For
// each it decides in this order: left out by the caller's decision; without a value (left out and counted, unless
// wanted); decoded. It is the hottest loop of a job: no view, closure or promise is made for a record unless its
// deserializer asks for one, and what few pipelines look at (a key that is bytes, headers) is made when it is.
import { inspect } from "node:util";
import type { DeserializeContext, Deserializer, Header, SourceRecord } from "../contract/record.ts";
import type { RecordChunk } from "../contract/source.ts";
import { messageOf, PoisonRecordError } from "../errors.ts";
import { isBytes } from "./bytes.ts";
import { readsSlices } from "./deserializer.ts";

const NO_HEADERS: readonly Header[] = Object.freeze([]);
const ABSENT = -1;

export interface RecordDecoderOptions<V, K> {
  readonly topic: string;
  readonly partition: number;
  readonly value: Deserializer<V>;
  /** Without it every record's key is null. */
  readonly key?: Deserializer<K> | undefined;
  /** true: records without a value are kept, with value null. */
  readonly tombstones: boolean;
  /** Offsets to leave out without decoding them. */
  readonly skip: ReadonlySet<bigint>;
  /** Milliseconds since the Unix epoch, from the decoded value; not asked for records without a value. */
  readonly timestampOf?: ((value: V) => number) | undefined;
}

/** What a record has, in the memory that it came in; `at` says where, in the source's own terms. */
export interface RecordParts {
  /** The key's bytes, copied; null when it has none. */
  key(at: number): Uint8Array | null;
  /** The headers, copied. */
  headers(at: number): readonly Header[];
  /** Bytes from `start` (inclusive) to `end` (exclusive), copied, many records' at once. */
  copy(start: number, end: number): Uint8Array;
}

/**
 * A record whose key was decoded, or is not wanted. One fixed shape for all records of a decoder, so that pipelines
 * stay fast: what is read on access belongs to the class, and the rest to the record itself. It has no parent class,
 * because one with private fields that is extended takes three times as long to make. Handed out as a read-only
 * SourceRecord.
 */
class RecordWithKey<V, K> {
  topic: string;
  partition: number;
  offset: bigint;
  timestamp: number;
  key: K | null = null;
  value: V | null = null;
  readonly #parts: RecordParts | undefined;
  readonly #at: number;

  constructor(
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
    parts: RecordParts | undefined,
    at: number,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = BigInt(offset);
    this.timestamp = timestamp;
    this.#parts = parts;
    this.#at = at;
  }

  get headers(): readonly Header[] {
    return this.#parts?.headers(this.#at) ?? NO_HEADERS;
  }

  toJSON(): SourceRecord<V | null, K | null> {
    return whole(this);
  }

  [inspect.custom](): SourceRecord<V | null, K | null> {
    return whole(this);
  }
}

/** A record whose key is bytes, which are read when they are asked for. */
class RecordWithKeyInParts<V> {
  topic: string;
  partition: number;
  offset: bigint;
  timestamp: number;
  value: V | null = null;
  readonly #parts: RecordParts | undefined;
  readonly #at: number;

  constructor(
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
    parts: RecordParts | undefined,
    at: number,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = BigInt(offset);
    this.timestamp = timestamp;
    this.#parts = parts;
    this.#at = at;
  }

  get key(): Uint8Array | null {
    return this.#parts?.key(this.#at) ?? null;
  }

  get headers(): readonly Header[] {
    return this.#parts?.headers(this.#at) ?? NO_HEADERS;
  }

  toJSON(): SourceRecord<V | null, Uint8Array | null> {
    return whole(this);
  }

  [inspect.custom](): SourceRecord<V | null, Uint8Array | null> {
    return whole(this);
  }
}

type DecodedRecord<V, K> = RecordWithKey<V, K> | RecordWithKeyInParts<V>;

/** What is read on access as well, so that a record prints and is written as a whole. */
function whole<V, K>(record: SourceRecord<V, K>): SourceRecord<V, K> {
  const { topic, partition, offset, timestamp, key, value, headers } = record;
  return { topic, partition, offset, timestamp, key, value, headers };
}

/**
 * A row that a pipeline gave, with all that it has as properties of its own, for sinks that look at those: a record has
 * only some that way. Any other row is given back as it is.
 */
export function asPlainRow(row: object): object {
  return row instanceof RecordWithKey || row instanceof RecordWithKeyInParts ? row.toJSON() : row;
}

/** Decodes the records of one partition: `add` them in offset order, then `take` what came of them. */
export class RecordDecoder<V, K = null> {
  /** Start and end of a key or value that is not there. */
  static readonly ABSENT = ABSENT;

  private readonly options: RecordDecoderOptions<V, K>;
  private readonly skip: ReadonlySet<bigint> | undefined;
  private readonly plainContext: DeserializeContext;
  private readonly readValue: Reading<V>;
  private readonly readKey: Reading<K> | undefined;
  private readonly hasKeysInParts: boolean;
  private readonly hasValuesAsBytes: boolean;
  private readonly needsHeaders: boolean;
  private records: DecodedRecord<V, K>[] = [];
  private tombstones = 0;
  private pending: Promise<void>[] = [];
  private failure: PoisonRecordError | undefined;

  constructor(options: RecordDecoderOptions<V, K>) {
    const { key, value, topic, partition } = options;
    this.options = options;
    this.skip = options.skip.size > 0 ? options.skip : undefined;
    this.plainContext = { topic, partition, headers: NO_HEADERS };
    this.readValue = reading(value);
    this.hasValuesAsBytes = isBytes(value) && options.timestampOf === undefined;
    this.hasKeysInParts = key !== undefined && isBytes(key);
    this.readKey = key === undefined || this.hasKeysInParts ? undefined : reading(key);
    this.needsHeaders = !readsSlices(value) || (this.readKey !== undefined && key !== undefined && !readsSlices(key));
  }

  /**
   * Offers the next record. Starts are inclusive and ends exclusive, both within `buffer`; a start of ABSENT means
   * that there is none. `buffer` may be used again as soon as this returns, unless `parts` needs it. What cannot be
   * decoded is thrown by the next `take`.
   * @param offset a safe integer
   * @param parts where the record's key and headers are; without them it has neither
   */
  add(
    buffer: Buffer,
    offset: number,
    timestamp: number,
    valueStart: number,
    valueEnd: number,
    keyStart = ABSENT,
    keyEnd = ABSENT,
    parts?: RecordParts,
    at = 0,
  ): void {
    const { topic, partition, tombstones } = this.options;
    if (this.failure !== undefined || this.skip?.has(BigInt(offset))) return;
    if (valueStart === ABSENT && !tombstones) {
      this.tombstones++;
      return;
    }
    const record = this.hasKeysInParts
      ? new RecordWithKeyInParts<V>(topic, partition, offset, timestamp, parts, at)
      : new RecordWithKey<V, K>(topic, partition, offset, timestamp, parts, at);
    this.records.push(record);
    if (this.hasValuesAsBytes && parts !== undefined && this.readKey === undefined) {
      if (valueStart !== ABSENT) record.value = parts.copy(valueStart, valueEnd) as V;
      return;
    }
    try {
      const context = this.needsHeaders && parts !== undefined ? this.contextOf(parts.headers(at)) : this.plainContext;
      if (keyStart !== ABSENT && this.readKey !== undefined && record instanceof RecordWithKey) {
        const key = this.readKey(buffer, keyStart, keyEnd, context);
        if (key instanceof Promise) this.settle(record, key, (settled) => this.setKey(record, settled));
        else record.key = key;
      }
      if (valueStart !== ABSENT) {
        const value = this.readValue(buffer, valueStart, valueEnd, context);
        if (value instanceof Promise) this.settle(record, value, (settled) => this.setValue(record, settled));
        else this.setValue(record, value);
      }
    } catch (cause) {
      this.fail(record.offset, cause);
    }
  }

  /**
   * What was added since the last `take`; a promise only when a deserializer returned one.
   * @throws PoisonRecordError the first record that cannot be decoded; the others of this chunk are given up
   */
  take(): RecordChunk<SourceRecord<V, K | null>> | Promise<RecordChunk<SourceRecord<V, K | null>>> {
    if (this.pending.length === 0) return this.finish();
    const pending = this.pending;
    this.pending = [];
    return Promise.all(pending).then(() => this.finish());
  }

  private finish(): RecordChunk<SourceRecord<V, K | null>> {
    const { records, tombstones, failure } = this;
    this.records = [];
    this.tombstones = 0;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    // A source that wants tombstones declares its values as V | null; the others have none left here.
    return { records: records as SourceRecord<V, K | null>[], tombstones };
  }

  private contextOf(headers: readonly Header[]): DeserializeContext {
    return headers.length === 0 ? this.plainContext : { ...this.plainContext, headers };
  }

  private setKey(record: RecordWithKey<V, K>, key: K): void {
    record.key = key;
  }

  private setValue(record: DecodedRecord<V, K>, value: V): void {
    record.value = value;
    const { timestampOf } = this.options;
    if (timestampOf === undefined) return;
    const timestamp = timestampOf(value);
    if (!Number.isFinite(timestamp)) throw new Error(`its timestamp is ${String(timestamp)}, which is no number`);
    record.timestamp = timestamp;
  }

  /** Waits for a promise without ever leaving a rejection unhandled. */
  private settle<T>(record: DecodedRecord<V, K>, promise: Promise<T>, set: (settled: T) => void): void {
    this.pending.push(promise.then(set).catch((cause) => this.fail(record.offset, cause)));
  }

  /**
   * Keeps the failure with the lowest offset: promises settle in any order, and a run must find the same one each
   * time.
   */
  private fail(offset: bigint, cause: unknown): void {
    if (this.failure !== undefined && this.failure.offset <= offset) return;
    const { topic, partition } = this.options;
    this.failure = new PoisonRecordError(
      { topic, partition, offset },
      `the record at ${topic}:${partition}:${offset} cannot be decoded: ${messageOf(cause)}`,
      { cause, hint: 'set onPoisonRecord to "skip" or deadLetter(sink) to go on without such records' },
    );
  }
}

type Reading<T> = (buffer: Buffer, start: number, end: number, context: DeserializeContext) => T | Promise<T>;

function reading<T>(deserializer: Deserializer<T>): Reading<T> {
  if (readsSlices(deserializer)) return (buffer, start, end) => deserializer.deserializeSlice(buffer, start, end);
  return (buffer, start, end, context) => deserializer.deserialize(buffer.subarray(start, end), context);
}
