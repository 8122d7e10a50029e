// What of a row becomes key, value, partition and headers of its record: a field by its name, or a function of the row.
// What such a part may be, and how it is written, is decided here; anything else is an error that names the part, and
// the record that the row came from is then a poison record.
import { type Header, messageOf } from "../../runtime/index.ts";
import { isPartitionNumber } from "./placement.ts";
import type { RecordBytes } from "./record-bytes.ts";

/** A part of a row: the field's name, or a function. */
export type RowPart<Row, C extends string, T> = C | ((row: Row) => T);

/** Gives a part of a row. */
export type Getter = (row: unknown) => unknown;

/** Headers as a row may give them: ordered pairs, or an object whose properties are names. */
export type RowHeaders =
  | Iterable<readonly [name: string, value: string | Uint8Array | null]>
  | Readonly<Record<string, string | Uint8Array | null>>;

/** The part as a function; undefined when it was left out. */
export function getterOf(part: unknown): Getter | undefined {
  if (part === undefined) return undefined;
  if (typeof part === "function") return part as Getter;
  const name = String(part);
  return (row) => (row as Record<string, unknown> | null)?.[name];
}

/** Writes a key: a string as UTF-8, bytes as they are, numbers and booleans as their text, null as no key. */
export function addKey(out: RecordBytes, key: unknown): void {
  if (typeof key === "string") out.addText(key);
  else if (key instanceof Uint8Array) out.addBytes(key);
  else if (key === null) out.addNull();
  else if (typeof key === "number" || typeof key === "bigint" || typeof key === "boolean") out.addText(String(key));
  else throw new TypeError(`the key of a row cannot be ${describe(key)}: use a string, a number, bytes or null`);
}

/** Writes a value: a string as UTF-8, bytes as they are, null as no value (a tombstone), all else as JSON. */
export function addValue(out: RecordBytes, value: unknown): void {
  if (typeof value === "string") out.addText(value);
  else if (value instanceof Uint8Array) out.addBytes(value);
  else if (value === null) out.addNull();
  else addJson(out, value);
}

/** Writes anything as JSON, strings and null too. */
export function addJson(out: RecordBytes, value: unknown): void {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new TypeError(`the value of a row cannot be written as JSON: ${messageOf(cause)}`, { cause });
  }
  if (json === undefined) throw new TypeError(`the value of a row cannot be ${describe(value)}: null is a tombstone`);
  out.addText(json);
}

/** Writes headers, in their order; null and undefined are none. */
export function addHeaders(out: RecordBytes, headers: unknown): void {
  if (headers === null || headers === undefined) {
    out.addVarint(0);
    return;
  }
  const pairs = headerPairs(headers);
  out.addVarint(pairs.length);
  for (const pair of pairs) {
    const [name, value] = pair;
    if (typeof name !== "string") throw new TypeError(`the name of a header cannot be ${describe(name)}`);
    out.addText(name);
    if (typeof value === "string") out.addText(value);
    else if (value instanceof Uint8Array) out.addBytes(value);
    else if (value === null) out.addNull();
    else throw new TypeError(`the header "${name}" cannot be ${describe(value)}: use a string, bytes or null`);
  }
}

/** The partition that a row asks for; undefined when it leaves that to its key. */
export function partitionNumber(partition: unknown): number | undefined {
  if (partition === undefined || partition === null) return undefined;
  if (isPartitionNumber(partition)) return partition;
  throw new TypeError(`the partition of a row cannot be ${describe(partition)}: partitions are numbered from 0`);
}

/** A topic's name, as a row gives it. */
export function topicName(topic: unknown): string {
  if (isTopicName(topic)) return topic;
  throw new TypeError(`the topic of a row cannot be ${describe(topic)}`);
}

/** Whether a topic can have this name. */
export function isTopicName(topic: unknown): topic is string {
  return typeof topic === "string" && /^[a-zA-Z0-9._-]{1,249}$/.test(topic) && topic !== "." && topic !== "..";
}

function headerPairs(headers: unknown): readonly (readonly [unknown, unknown])[] {
  if (typeof headers !== "object" || headers === null) {
    throw new TypeError(`the headers of a row cannot be ${describe(headers)}: use pairs, or an object`);
  }
  return Symbol.iterator in headers ? [...(headers as Iterable<Header>)] : Object.entries(headers);
}

function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "number" || typeof value === "string" ? JSON.stringify(value) : String(value);
}
