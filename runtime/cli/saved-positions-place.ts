// Finds what `runtime checkpoint import --from` names: a place where another program saves positions, by the scheme of
// its URL. The connector that reads it is loaded only then; nothing is connected to here.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { SavedPositionsPlace } from "../contract/saved-positions.ts";
import { ConfigError } from "../errors.ts";
import { redactUrl } from "../redact-url.ts";
import { nearest } from "../suggest.ts";

type Opener = (url: string) => Promise<SavedPositionsPlace>;

const PLACES: ReadonlyMap<string, { readonly open: Opener; readonly example: string }> = new Map([
  ["kafka", { open: kafkaGroupOf, example: "kafka://127.0.0.1:9092?group=billing" }],
  ["zookeeper", { open: zookeeperConsumersOf, example: "zookeeper://127.0.0.1:2181/consumers/billing" }],
  [
    "hbase",
    { open: hbaseOffsetsOf, example: "hbase://127.0.0.1:2181/stream_kafka_offsets?group=billing&topic=payments" },
  ],
  ["spark", { open: sparkCheckpointOf, example: "spark:DIR" }],
]);

/**
 * The place that a URL names. Relative folders are relative to the working directory.
 * @throws ConfigError it names none
 */
export async function savedPositionsPlace(url: string): Promise<SavedPositionsPlace> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  const place = scheme === undefined ? undefined : PLACES.get(scheme);
  if (place !== undefined) return await place.open(url);
  const near = scheme === undefined ? undefined : nearest(scheme, [...PLACES.keys()]);
  const examples = [...PLACES.values()].map(({ example }) => example).join(", ");
  throw new ConfigError(`--from ${JSON.stringify(redactUrl(url))} is no place to import from`, {
    hint: near === undefined ? `write ${examples}` : `did you mean ${near}:? There are ${examples}`,
  });
}

/** `kafka://host:9092,host:9092?group=G` */
async function kafkaGroupOf(url: string): Promise<SavedPositionsPlace> {
  const { kafkaGroup } = await import("../../connectors/kafka/index.ts");
  return kafkaGroup(url);
}

/** `zookeeper://host:2181,host:2181/consumers/G` */
async function zookeeperConsumersOf(url: string): Promise<SavedPositionsPlace> {
  const { zookeeperConsumers } = await import("../../connectors/zookeeper/index.ts");
  return zookeeperConsumers(url);
}

/** `hbase://zk:2181/table?group=G&topic=T` */
async function hbaseOffsetsOf(url: string): Promise<SavedPositionsPlace> {
  const { hbaseOffsets } = await import("../../connectors/hbase/index.ts");
  return hbaseOffsets(url);
}

/** `spark:DIR`, `spark:file:///DIR` as Spark writes it, `spark:webhdfs://namenode:9870/dir` */
async function sparkCheckpointOf(url: string): Promise<SavedPositionsPlace> {
  const location = url.slice("spark:".length);
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1]?.toLowerCase();
  const { sparkCheckpoint } = await import("../../connectors/spark/index.ts");
  if (scheme === "webhdfs" || scheme === "swebhdfs") {
    const { hdfsFolder } = await import("../../connectors/hdfs/index.ts");
    return sparkCheckpoint({ folder: hdfsFolder(location) });
  }
  if (location !== "" && scheme === undefined) return sparkCheckpoint({ folder: resolve(location) });
  if (scheme === "file") return sparkCheckpoint({ folder: resolve(pathOfFileUrl(location)) });
  throw new ConfigError(`a Spark checkpoint is not read from ${JSON.stringify(redactUrl(location))}`, {
    hint: "write spark:DIR, or spark:webhdfs://NAMENODE:9870/DIR; copy it to this machine from anywhere else",
  });
}

/** `file:DIR`, `file:/DIR` and `file:///DIR` */
function pathOfFileUrl(url: string): string {
  if (!url.startsWith("file://")) return url.slice("file:".length);
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new ConfigError(`${redactUrl(url)} is no folder of this machine`, { hint: "write spark:DIR", cause });
  }
}
