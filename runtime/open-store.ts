// The one place that puts parts together: finds a checkpoint store by the scheme of its URL, and loads it only then.
// What cannot be opened is told with the schemes that can; nothing is connected to here.
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { CheckpointStore } from "./contract/store.ts";
import { ConfigError, messageOf } from "./errors.ts";
import { redactUrl } from "./redact-url.ts";
import { nearest } from "./suggest.ts";

interface OpenStoreOptions {
  /** The folder that relative `file:` URLs are resolved against; relative itself to the working directory. */
  readonly baseDir: string;
}

type Opener = (url: string, baseDir: string) => Promise<CheckpointStore>;

const SCHEMES: ReadonlyMap<string, Opener> = new Map([
  ["file", openFileStore],
  ["memory", openMemoryStore],
  ["postgres", openPostgresStore],
  ["postgresql", openPostgresStore],
  ["kafka", openKafkaStore],
  ["zookeeper", openZooKeeperStore],
  ["webhdfs", openHdfsStore],
  ["swebhdfs", openHdfsStore],
  ["hbase", openHBaseStore],
]);

let sharedMemoryStore: CheckpointStore | undefined;

/**
 * The store of a URL: `file:DIR`, `postgres://…` or `memory:` (one for the whole process). A store object is given back
 * as it is.
 * @throws ConfigError the URL has no scheme, or one that no store of this version has
 */
export async function openStore(
  checkpoint: string | CheckpointStore,
  { baseDir }: OpenStoreOptions,
): Promise<CheckpointStore> {
  if (typeof checkpoint !== "string") return checkpoint;
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(checkpoint)?.[1]?.toLowerCase();
  const open = scheme === undefined ? undefined : SCHEMES.get(scheme);
  if (open !== undefined) return open(checkpoint, resolve(baseDir));
  throw new ConfigError(`${JSON.stringify(redactUrl(checkpoint))} is not the URL of a checkpoint store`, {
    hint: hintFor(checkpoint, scheme),
  });
}

function hintFor(checkpoint: string, scheme: string | undefined): string {
  if (scheme === undefined) return `for a folder, write file:${checkpoint || ".tidemark"}`;
  const known = [...SCHEMES.keys()];
  const near = nearest(scheme, known);
  const schemes = `this version has ${known.map((name) => `${name}:`).join(", ")}`;
  return near === undefined ? schemes : `did you mean ${near}:? ${schemes}`;
}

async function openFileStore(url: string, baseDir: string): Promise<CheckpointStore> {
  const path = resolve(baseDir, pathOf(url));
  const inside = relative(baseDir, path);
  // The same folder gives the same URL, however it was written.
  const dir = inside === "" ? "." : inside.startsWith("..") ? path : inside;
  const { fileStore } = await import("../checkpoints/file.ts");
  return fileStore({ dir, baseDir });
}

/** `file:DIR` is a path as it stands; `file:///DIR` is a URL, with its escapes. @throws ConfigError */
function pathOf(url: string): string {
  const path = url.slice("file:".length);
  if (path === "") throw new ConfigError("file: needs a folder", { hint: "for example file:.tidemark" });
  if (!path.startsWith("//")) return path;
  try {
    return fileURLToPath(url);
  } catch (cause) {
    const hint = "write file:DIR, relative to the folder of the job, or file:///DIR";
    throw new ConfigError(`${redactUrl(url)} is not a folder of this machine: ${messageOf(cause)}`, { hint, cause });
  }
}

async function openMemoryStore(url: string): Promise<CheckpointStore> {
  if (url.slice("memory:".length) !== "") {
    throw new ConfigError(`memory: takes nothing behind it, not ${redactUrl(url)}`);
  }
  const { memoryStore } = await import("../checkpoints/memory.ts");
  sharedMemoryStore ??= memoryStore();
  return sharedMemoryStore;
}

async function openPostgresStore(url: string): Promise<CheckpointStore> {
  const { postgresStore } = await import("../checkpoints/postgres.ts");
  return postgresStore({ url });
}

async function openKafkaStore(url: string): Promise<CheckpointStore> {
  const { kafkaStore } = await import("../checkpoints/kafka.ts");
  return kafkaStore(url);
}

async function openZooKeeperStore(url: string): Promise<CheckpointStore> {
  const { zookeeperStoreOf } = await import("../checkpoints/zookeeper.ts");
  return zookeeperStoreOf(url);
}

async function openHdfsStore(url: string): Promise<CheckpointStore> {
  const { hdfsStore } = await import("../checkpoints/hdfs.ts");
  return hdfsStore({ url });
}

async function openHBaseStore(url: string): Promise<CheckpointStore> {
  const { hbaseStoreOf } = await import("../checkpoints/hbase.ts");
  return hbaseStoreOf(url);
}
