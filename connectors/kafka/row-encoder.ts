// Encodes rows to the bodies of Kafka's records (key, value, headers) and leaves with each what decides its partition.
// Pure, and all that depends on a row: the writer only counts, copies and frames. A row that cannot be encoded leaves
// nothing behind.
import type { EncodedRows, RowEncoder } from "../../runtime/index.ts";
import { ANYWHERE, placeByKey, placeIn } from "./placement.ts";
import { RecordBytes } from "./record-bytes.ts";
import { addHeaders, addJson, addKey, addValue, type Getter, partitionNumber, topicName } from "./row-fields.ts";
import { RowJson } from "./row-json.ts";

const FIRST_CAPACITY = 64 * 1024;

/** What a sink's options say of its rows. */
export interface RowShape {
  /** The topic of all rows, or what gives each row's. */
  readonly topic: string | Getter;
  readonly key: Getter | undefined;
  /** undefined: the row itself, as JSON. */
  readonly value: Getter | undefined;
  readonly partition: Getter | undefined;
  readonly headers: Getter | undefined;
}

/** Encoded records of one topic, in order. */
export interface EncodedRecords {
  readonly topic: string;
  /** The bodies, one after the other. */
  readonly bodies: Uint8Array;
  /** For each record its placement, then the length of its body. */
  readonly places: Int32Array;
}

/** Encodes rows; the `data` of what it gives is a list of `EncodedRecords`, one for each topic. */
export class KafkaRowEncoder implements RowEncoder<unknown> {
  private readonly shape: RowShape;
  private readonly topics = new Map<string, TopicEncoder>();
  private readonly only: TopicEncoder | undefined;

  constructor(shape: RowShape) {
    this.shape = shape;
    if (typeof shape.topic === "string") this.only = this.topicEncoder(shape.topic);
  }

  add(row: unknown): void {
    const { topic } = this.shape;
    if (this.only !== undefined) this.only.add(row);
    else if (typeof topic === "function") this.topicEncoder(topicName(topic(row))).add(row);
  }

  take(): EncodedRows | undefined {
    const data: EncodedRecords[] = [];
    let rowCount = 0;
    for (const encoder of this.topics.values()) {
      rowCount += encoder.rowCount;
      if (encoder.rowCount > 0) data.push(encoder.take());
    }
    return rowCount === 0 ? undefined : { rowCount, data };
  }

  private topicEncoder(topic: string): TopicEncoder {
    const known = this.topics.get(topic);
    if (known !== undefined) return known;
    const encoder = new TopicEncoder(topic, this.shape);
    this.topics.set(topic, encoder);
    return encoder;
  }
}

/** The rows of one topic since the last `take`. */
class TopicEncoder {
  private readonly topic: string;
  private readonly shape: RowShape;
  private readonly json = new RowJson();
  private out = new RecordBytes(FIRST_CAPACITY);
  private places: number[] = [];

  constructor(topic: string, shape: RowShape) {
    this.topic = topic;
    this.shape = shape;
  }

  get rowCount(): number {
    return this.places.length / 2;
  }

  add(row: unknown): void {
    const { out } = this;
    const start = out.length;
    try {
      const placement = this.addBody(row);
      this.places.push(placement, out.length - start);
    } catch (error) {
      out.length = start;
      throw error;
    }
  }

  take(): EncodedRecords {
    const { topic, out } = this;
    const bodies = out.bytes.subarray(0, out.length);
    const places = Int32Array.from(this.places);
    // Memory of its own each time, so that it can be handed to another thread.
    this.out = new RecordBytes(Math.max(FIRST_CAPACITY, out.length));
    this.places = [];
    return { topic, bodies, places };
  }

  /** @returns its placement */
  private addBody(row: unknown): number {
    const { out, shape, json } = this;
    const partition = shape.partition && partitionNumber(shape.partition(row));
    const placement = this.addKey(row);
    if (shape.value !== undefined) addValue(out, shape.value(row));
    else if (!json.add(out, row)) addJson(out, row);
    if (shape.headers === undefined) out.addVarint(0);
    else addHeaders(out, shape.headers(row));
    return partition === undefined ? placement : placeIn(partition);
  }

  private addKey(row: unknown): number {
    const { out, shape } = this;
    const key = shape.key === undefined ? null : shape.key(row);
    const start = out.length;
    addKey(out, key);
    return key === null ? ANYWHERE : placeByKey(out.bytes, start + lengthSize(out, start), out.length);
  }
}

/** How many bytes the length at `start` takes. */
function lengthSize({ bytes }: RecordBytes, start: number): number {
  let size = 1;
  while ((bytes[start + size - 1] as number) >= 128) size++;
  return size;
}
