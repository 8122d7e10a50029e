// The contents of a Spark checkpoint's files, as far as an import needs them. An offsets file is
//   v1\n <metadata JSON>\n <one line a source>          or, since Spark 4,
//   v2\n <metadata JSON>\n <one line `source:…` a source>
// without a newline at its end, and a Kafka source's line is {"topic":{"0":456}}, the next offsets to read. Only one
// source is taken, and it must be Kafka's. Nothing here is trusted.
import { type ConfigError, comparePartitions, messageOf, type Position } from "../../runtime/index.ts";
import { refused } from "./batch-log.ts";

/** The Kafka source's offsets of an offsets file, sorted. @throws ConfigError with the reason */
export function parseOffsetFile(bytes: Uint8Array, name: string): Position[] {
  const [version = "", , ...sources] = textOf(bytes, name).split("\n");
  if (version !== "v1" && version !== "v2") throw unknownVersion(version, name);
  if (sources.length !== 1) {
    const what = sources.length === 0 ? "it has no source" : `the query has ${sources.length} sources`;
    throw refused(`${name}: ${what}, and a job here reads one`, "import queries of one Kafka source only");
  }
  const [line = ""] = sources;
  if (version === "v1") return parseKafkaOffsets(line, name);
  const colon = line.indexOf(":");
  if (colon < 1) throw refused(`${name}: its source has no number`);
  return parseKafkaOffsets(line.slice(colon + 1), name);
}

/**
 * The offsets of `sources/0/0`, where the query began: the byte 0, `v1\n` and the offsets.
 * @throws ConfigError with the reason
 */
export function parseInitialOffsets(bytes: Uint8Array, name: string): Position[] {
  if (bytes[0] !== 0) throw refused(`${name} does not begin as the Kafka source's does`);
  const [version = "", line = "", ...more] = textOf(bytes.subarray(1), name).split("\n");
  if (version !== "v1") throw unknownVersion(version, name);
  if (more.join("") !== "") throw refused(`${name} has more lines than it should`);
  return parseKafkaOffsets(line, name);
}

/** A file of `commits` says nothing but that it is there, whole. @throws ConfigError with the reason */
export function checkCommitFile(bytes: Uint8Array, name: string): void {
  const [version = "", metadata = ""] = textOf(bytes, name).split("\n");
  if (version !== "v1" && version !== "v2") throw unknownVersion(version, name);
  parseObject(metadata, name);
}

/** The query's id in the file `metadata`. @throws ConfigError with the reason */
export function parseQueryId(bytes: Uint8Array): string {
  const { id } = parseObject(textOf(bytes, "metadata"), "metadata");
  if (typeof id === "string" && /^[0-9a-f-]{36}$/.test(id)) return id;
  throw refused("its file metadata has no query id");
}

function parseKafkaOffsets(json: string, name: string): Position[] {
  if (json === "-") throw refused(`${name}: its source had no data yet`);
  const positions: Position[] = [];
  for (const [topic, partitions] of Object.entries(parseObject(json, name))) {
    if (typeof partitions !== "object" || partitions === null || Array.isArray(partitions)) throw notKafka(name);
    for (const [partition, offset] of Object.entries(partitions)) {
      if (!/^(0|[1-9]\d{0,8})$/.test(partition)) throw notKafka(name);
      // Beyond 2^53 JSON.parse is not exact.
      if (!Number.isSafeInteger(offset) || Number(offset) < 0) {
        throw refused(`${name}: ${topic}:${partition} is at ${JSON.stringify(offset)}, which is no offset`);
      }
      positions.push({ topic, partition: Number(partition), offset: BigInt(Number(offset)) });
    }
  }
  if (positions.length === 0) throw refused(`${name} has no offsets`);
  return positions.sort(comparePartitions);
}

function textOf(bytes: Uint8Array, name: string): string {
  if (bytes.byteLength === 0) throw refused(`${name} is empty: it was not written to its end`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw refused(`${name} is no text: ${messageOf(cause)}`);
  }
}

function parseObject(json: string, name: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw refused(`${name} is not whole: ${messageOf(cause)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw notKafka(name);
}

function notKafka(name: string): ConfigError {
  return refused(`${name} is not of a Kafka source`, "import queries of one Kafka source only");
}

function unknownVersion(version: string, name: string): ConfigError {
  const shown = JSON.stringify(version.slice(0, 20));
  return refused(`${name} has the format ${shown}, and v1 and v2 are known`, "was it made by a newer Spark?");
}
