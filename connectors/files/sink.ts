// The file sink's definition: a folder to which each batch adds one file. Exactly-once: a batch's file appears by one
// rename, and its name says which batch it is, so that a batch that ran again is found. Names that begin with `_` or
// `.` are not data.
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { ConfigError, type Sink, type SinkContext, type SinkWriter } from "../../runtime/index.ts";
import { csvFormat } from "../formats/csv-format.ts";
import type { FileFormat } from "../formats/file-format.ts";
import { ndjsonFormat } from "../formats/ndjson-format.ts";
import { asTransient } from "./errno.ts";
import { FileWriter } from "./file-writer.ts";
import { findWritten, makeFolder } from "./output-folder.ts";
import { takeStaging } from "./staging.ts";

export interface NdjsonSinkOptions {
  /** The folder, made if need be; relative to the folder of job.ts. Several jobs may share one. */
  readonly dir: string;
  /** Default "ndjson". */
  readonly format?: "ndjson";
}

export interface CsvSinkOptions<C extends string> {
  readonly dir: string;
  readonly format: "csv";
  /**
   * In order; a row may lack some (an empty field) and have no others. Default: the properties of each batch's first
   * row.
   */
  readonly columns?: readonly C[];
}

/**
 * Writes each batch's rows, in partition order, as one file of a folder; a batch without rows leaves none.
 * Exactly-once.
 * @throws ConfigError an option is wrong
 */
export function fileSink(options: NdjsonSinkOptions): Sink<unknown>;
export function fileSink<const C extends string = never>(
  options: CsvSinkOptions<C>,
): Sink<object & { [P in C]?: unknown }>;
export function fileSink(options: NdjsonSinkOptions | CsvSinkOptions<string>): Sink<never> {
  if (typeof options.dir !== "string" || options.dir === "") {
    throw new ConfigError("fileSink needs a folder to write to", {
      hint: 'fileSink({ dir: "out", format: "ndjson" })',
    });
  }
  const format = formatOf(options);
  return {
    kind: "files",
    guarantee: "exactly-once",
    target: options.dir,
    placeOfBatches: (baseDir) => `files ${resolve(baseDir, options.dir)}`,
    encodesToBytes: true,
    encoder: () => format.encoder(),
    async open(context, signal) {
      signal.throwIfAborted();
      const dir = resolve(context.baseDir, options.dir);
      try {
        return await openWriter(dir, format, context);
      } catch (error) {
        throw asTransient(`cannot open ${dir}`, error);
      }
    },
  };
}

function formatOf(options: NdjsonSinkOptions | CsvSinkOptions<string>): FileFormat<never> {
  switch (options.format) {
    case undefined:
    case "ndjson":
      return ndjsonFormat;
    case "csv":
      return csvFormat(checkedColumns(options.columns));
    default:
      throw new ConfigError(`fileSink has no format ${JSON.stringify(options)}`, { hint: 'use "ndjson" or "csv"' });
  }
}

function checkedColumns(columns: readonly string[] | undefined): readonly string[] | undefined {
  if (columns === undefined) return undefined;
  if (columns.length > 0 && new Set(columns).size === columns.length) return [...columns];
  throw new ConfigError("columns of fileSink must be names, at least one, each once");
}

/** Shuts out older writers first: what they finished by then is listed, and they can finish nothing after it. */
async function openWriter(dir: string, format: FileFormat<never>, context: SinkContext): Promise<SinkWriter> {
  await makeFolder(dir);
  const staging = await takeStaging(dir, context);
  const written = await findWritten(dir, context);
  const dirHandle = await open(dir, "r");
  try {
    // A run that was killed may have renamed the newest without syncing the folder; they count as written from now on.
    await dirHandle.sync();
  } catch (error) {
    await dirHandle.close();
    throw error;
  }
  return new FileWriter({ dir, dirHandle, staging, jobName: context.jobName, format, written });
}
