// The file source's definition: a folder as a topic, one NDJSON file a partition, line numbers as offsets. Checks its
// options; everything else happens in the reader.
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import {
  bytes,
  ConfigError,
  type Deserializer,
  type OffsetSpec,
  type OpenContext,
  type Source,
  type SourceRecord,
} from "../../runtime/index.ts";
import { FileSourceReader } from "./reader.ts";

const DEFAULT_MAX_LINE_BYTES = 64 * 1024 * 1024;
/** Longer ones would not fit in a JavaScript string. */
const GREATEST_MAX_LINE_BYTES = 512 * 1024 * 1024 - 1024;

export interface FileSourceOptions<V> {
  /** The folder with `0.ndjson`, `1.ndjson`…; relative to the folder of job.ts. */
  readonly dir: string;
  /** Default: the folder's name. */
  readonly topic?: string;
  /** How a line becomes a value; default `bytes()`. */
  readonly value?: Deserializer<V>;
  /**
   * true: blank lines and lines that are `null` become records with value null; default false, they are skipped and
   * counted.
   */
  readonly tombstones?: boolean;
  /**
   * A value's time, ms since the Unix epoch, which must not decrease along a file; without it records have timestamp
   * −1.
   */
  readonly timestamp?: (value: V) => number;
  /** Default "earliest". */
  readonly startingOffsets?: OffsetSpec;
  readonly endingOffsets?: OffsetSpec;
  /** Default true. */
  readonly failOnDataLoss?: boolean;
  /** A longer line, its newline included, is an error; 1 to 512 MiB, default 64 MiB. */
  readonly maxLineBytes?: number;
}

/**
 * Reads a folder of NDJSON files, one partition a file, offset = line number from 0. Files may grow and appear while
 * the job runs; a last line without a newline is not there yet.
 * @throws ConfigError an option is wrong
 */
export function fileSource<V = Uint8Array>(
  options: FileSourceOptions<V> & { readonly tombstones: true },
): Source<SourceRecord<V | null, null>>;
export function fileSource<V = Uint8Array>(options: FileSourceOptions<V>): Source<SourceRecord<V, null>>;
export function fileSource(options: FileSourceOptions<unknown>): Source<SourceRecord<unknown, null>> {
  const { maxLineBytes = DEFAULT_MAX_LINE_BYTES } = options;
  if (typeof options.dir !== "string" || options.dir === "") {
    throw new ConfigError("fileSource needs a folder to read from", {
      hint: 'fileSource({ dir: "data/payments", … })',
    });
  }
  if (!Number.isInteger(maxLineBytes) || maxLineBytes < 1 || maxLineBytes > GREATEST_MAX_LINE_BYTES) {
    throw new ConfigError(`maxLineBytes must be a whole number from 1 to ${GREATEST_MAX_LINE_BYTES}`);
  }
  return {
    kind: "files",
    startingOffsets: options.startingOffsets ?? "earliest",
    endingOffsets: options.endingOffsets,
    failOnDataLoss: options.failOnDataLoss ?? true,
    async open(context, signal) {
      signal.throwIfAborted();
      const dir = await existingFolder(options.dir, context);
      return new FileSourceReader({
        dir,
        topic: topicOf(options.topic, dir),
        value: options.value ?? bytes(),
        tombstones: options.tombstones ?? false,
        timestampOf: options.timestamp,
        maxLineBytes,
      });
    },
  };
}

async function existingFolder(given: string, { baseDir }: OpenContext): Promise<string> {
  const dir = resolve(baseDir, given);
  const found = await stat(dir).catch(() => undefined);
  if (found?.isDirectory()) return dir;
  throw new ConfigError(`fileSource: ${dir} ${found === undefined ? "does not exist" : "is not a folder"}`, {
    hint: `make it (mkdir -p '${dir}') and put 0.ndjson there; a relative dir begins at the folder of job.ts`,
  });
}

function topicOf(given: string | undefined, dir: string): string {
  const topic = given ?? basename(dir);
  if (topic !== "") return topic;
  throw new ConfigError(`fileSource: ${dir} has no name to call the topic by`, { hint: "give topic" });
}
