// What a source hands to the pipeline, and how its bytes become values.
import type { TopicPartition } from "./positions.ts";

/** A header's name and bytes, none for a null; a name may occur more than once, and the order is the log's. */
export type Header = readonly [name: string, value: Uint8Array];

/**
 * One record of a log, as the pipeline sees it. Headers, and a key that is bytes, may be read from the log's bytes each
 * time they are asked for: `{ ...record }` leaves them out then, and so does its type. A record that is kept may keep
 * the bytes that it came in: keep what is needed of it.
 */
export declare abstract class SourceRecord<out V = unknown, out K = unknown> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the Unix epoch; −1 where the log has no timestamps. */
  readonly timestamp: number;
  get key(): K;
  readonly value: V;
  get headers(): readonly Header[];
}

/** A record before decoding: what a dead letter keeps of a record that could not be processed. */
export interface RawRecord extends TopicPartition {
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly Header[];
}

/** What a deserializer is told about the record beside its bytes. */
export interface DeserializeContext {
  readonly topic: string;
  readonly partition: number;
  readonly headers: readonly Header[];
}

/**
 * Turns a record's bytes into a value. `bytes` is only valid during the call: copy what is kept. May return a promise
 * (a schema registry). Throwing makes the record a poison record.
 */
export interface Deserializer<out T> {
  deserialize(bytes: Uint8Array, context: DeserializeContext): T | Promise<T>;
}
