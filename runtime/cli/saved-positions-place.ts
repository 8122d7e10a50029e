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
  const [, brokers = "", query = ""] = /^kafka:\/\/([^/?#@]+)\/?(?:\?([^#]*))?$/i.exec(url) ?? [];
  const parameters = new URLSearchParams(query);
  const others = [...parameters.keys()].filter((name) => name !== "group");
  const groupId = parameters.get("group");
  if (brokers === "" || others.length > 0 || groupId === null || groupId === "") {
    const hint = "write kafka://HOST:9092?group=GROUP; a cluster with TLS or a login is reached by importCheckpoint()";
    throw new ConfigError(`${JSON.stringify(redactUrl(url))} names no consumer group`, { hint });
  }
  const { kafkaGroup } = await import("../../connectors/kafka/index.ts");
  return kafkaGroup({ brokers: brokers.split(","), groupId });
}

/** `spark:DIR`, and `spark:file:///DIR` as Spark writes it */
async function sparkCheckpointOf(url: string): Promise<SavedPositionsPlace> {
  const location = url.slice("spark:".length);
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1]?.toLowerCase();
  if (location === "" || (scheme !== undefined && scheme !== "file")) {
    const where = scheme === undefined ? "" : `, and not from ${scheme}:`;
    throw new ConfigError(`a Spark checkpoint is read from a folder of this machine${where}`, {
      hint: "write spark:DIR; copy the checkpoint's folder to this machine first",
    });
  }
  const { sparkCheckpoint } = await import("../../connectors/spark/index.ts");
  return sparkCheckpoint({ folder: resolve(scheme === undefined ? location : pathOfFileUrl(location)) });
}

/** `file:DIR`, `file:/DIR` and `file:///DIR` */
function pathOfFileUrl(url: string): string {
  if (!url.startsWith("file://")) return url.slice("file:".length);
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new ConfigError(`${url} is no folder of this machine`, { hint: "write spark:DIR", cause });
  }
}
