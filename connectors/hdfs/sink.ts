// The HDFS sink's definition: a folder to which each batch adds one file, over WebHDFS. Exactly-once: a batch's file
// appears by one rename, and its name, or the catalogue of those that were joined, says which batch it is, so that a
// batch that ran again is found. Names that begin with `_` are not data.
import { ConfigError, type Sink, type SinkContext, type SinkWriter } from "../../runtime/index.ts";
import { csvFormatWithoutHeader } from "../formats/csv-format.ts";
import type { FileFormat } from "../formats/file-format.ts";
import { ndjsonFormat } from "../formats/ndjson-format.ts";
import { type HdfsAddress, parseHdfsUrl } from "./address.ts";
import { parseBatchFileName, shortLineage } from "./batch-file.ts";
import { readCatalogue } from "./catalogue.ts";
import { finishJoining } from "./compaction.ts";
import { COMPRESSED_EXTENSIONS, type HdfsCompression } from "./compress.ts";
import { HdfsFileSystem } from "./file-system.ts";
import type { Output } from "./output.ts";
import { HdfsSinkWriter, type OpenHdfsSink } from "./sink-writer.ts";
import { takeStaging } from "./staging.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_COMPACT_AFTER_FILES = 32;
const COMPACT_AFTER_FILES_MAX = 200;

interface HdfsSinkPlace {
  /**
   * `webhdfs://namenode:9870/dir`, or `swebhdfs://` for TLS; several name nodes with commas between. Parameters:
   * `user.name`, and `ca`, a PEM file. The folder is made if need be; several jobs may share one.
   */
  readonly url: string;
  /** Instead of the URL's `user.name`; default: HADOOP_USER_NAME, or whoever runs this. */
  readonly user?: string;
  /** Adds `.gz` or `.zst` to the names. Default: none. */
  readonly compression?: HdfsCompression;
  /**
   * When so many small files of batches have gathered, 2 to 200, they are joined to one, and so many of those once
   * more; default 32. false: never. A program that reads the folder meanwhile may find a file that it has listed gone,
   * and must list again.
   */
  readonly compactAfterFiles?: number | false;
  /** Of each request, > 0; default 30,000. */
  readonly timeoutMs?: number;
}

export interface HdfsNdjsonSinkOptions extends HdfsSinkPlace {
  /** Default "ndjson". */
  readonly format?: "ndjson";
}

export interface HdfsCsvSinkOptions<C extends string> extends HdfsSinkPlace {
  /** Without a header line, since files are joined. */
  readonly format: "csv";
  /** In order; a row may lack some (an empty field) and have no others. */
  readonly columns: readonly C[];
}

/**
 * Writes each batch's rows, in partition order, as one file of a folder of HDFS; a batch without rows leaves none.
 * Exactly-once.
 * @throws ConfigError an option is wrong
 */
export function hdfsSink(options: HdfsNdjsonSinkOptions): Sink<unknown>;
export function hdfsSink<const C extends string>(options: HdfsCsvSinkOptions<C>): Sink<object & { [P in C]?: unknown }>;
export function hdfsSink(options: HdfsNdjsonSinkOptions | HdfsCsvSinkOptions<string>): Sink<never> {
  const address = parseHdfsUrl(options.url, options.user);
  const { compression, compactAfterFiles = DEFAULT_COMPACT_AFTER_FILES, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  if (compression !== undefined && !Object.hasOwn(COMPRESSED_EXTENSIONS, compression)) {
    throw new ConfigError(`hdfsSink has no compression ${JSON.stringify(compression)}`, {
      hint: 'use "gzip" or "zstd", or leave it out',
    });
  }
  const isCount = Number.isInteger(compactAfterFiles);
  if (
    compactAfterFiles !== false &&
    !(isCount && compactAfterFiles >= 2 && compactAfterFiles <= COMPACT_AFTER_FILES_MAX)
  ) {
    throw new ConfigError(`compactAfterFiles of hdfsSink must be 2 to ${COMPACT_AFTER_FILES_MAX}, or false`);
  }
  if (compactAfterFiles !== false && address.folder.includes(",")) {
    throw new ConfigError(`HDFS cannot join files in ${address.folder}, whose name has a comma`, {
      hint: "choose another folder, or compactAfterFiles: false",
    });
  }
  if (!(timeoutMs > 0)) throw new ConfigError("timeoutMs of hdfsSink must be more than 0");
  const format = formatOf(options);
  const extension = compression === undefined ? "" : `.${COMPRESSED_EXTENSIONS[compression]}`;
  const settings: Settings = {
    address,
    timeoutMs,
    format,
    extension: `${format.extension}${extension}`,
    compression,
    compactAfterFiles: compactAfterFiles === false ? undefined : compactAfterFiles,
  };
  return {
    kind: "hdfs",
    guarantee: "exactly-once",
    target: address.url,
    placeOfBatches: () => `hdfs ${address.url}`,
    encodesToBytes: true,
    encoder: () => format.encoder(),
    open: (context, signal) => openWriter(settings, context, signal),
  };
}

interface Settings extends Pick<OpenHdfsSink, "compression" | "compactAfterFiles"> {
  readonly address: HdfsAddress;
  readonly timeoutMs: number;
  readonly format: FileFormat<never>;
  readonly extension: string;
}

function formatOf(options: HdfsNdjsonSinkOptions | HdfsCsvSinkOptions<string>): FileFormat<never> {
  switch (options.format) {
    case undefined:
    case "ndjson":
      return ndjsonFormat;
    case "csv":
      return csvFormatWithoutHeader(checkedColumns(options.columns));
    default:
      throw new ConfigError("hdfsSink has no such format", { hint: 'use "ndjson" or "csv"' });
  }
}

function checkedColumns(columns: readonly string[] | undefined): readonly string[] {
  const isRight = Array.isArray(columns) && columns.length > 0 && new Set(columns).size === columns.length;
  if (isRight) return [...columns];
  throw new ConfigError("columns of hdfsSink must be names, at least one, each once: its CSV files have no header");
}

/** Shuts out older writers first: what they finished by then is listed, and they can finish nothing after it. */
async function openWriter(settings: Settings, context: SinkContext, signal: AbortSignal): Promise<SinkWriter> {
  signal.throwIfAborted();
  const { address, timeoutMs, extension } = settings;
  const fileSystem = new HdfsFileSystem(address, timeoutMs);
  try {
    const dir = address.folder;
    await fileSystem.makeFolder(dir, "755", signal);
    const staging = await takeStaging(fileSystem, dir, context, signal);
    const { jobName, lineageId } = context;
    const warn = (message: string) => context.warn(message);
    const output: Output = { fileSystem, dir, jobName, lineage: shortLineage(lineageId), staging, extension, warn };
    const catalogue = await readCatalogue(output, signal);
    const refused = catalogue.joining && (await finishJoining(output, catalogue.joining, signal));
    if (refused !== undefined) warn(`HDFS does not join the files in ${dir}, so that they stay small ones: ${refused}`);
    // What is under way must be done before anything else is joined.
    const compactAfterFiles = refused === undefined ? settings.compactAfterFiles : undefined;
    const { written, singles } = await findWritten(output, signal);
    for (const [batchId, planHash] of catalogue.batches) written.set(batchId, planHash);
    return new HdfsSinkWriter({ ...settings, compactAfterFiles, output, written, catalogue, singles });
  } catch (error) {
    await fileSystem[Symbol.asyncDispose]();
    throw error;
  }
}

/** The batches of this lineage whose names say so. Warns of what earlier lineages left. */
async function findWritten(
  output: Output,
  signal: AbortSignal,
): Promise<{ readonly written: Map<number, string>; readonly singles: number }> {
  const { fileSystem, dir, lineage, jobName, warn } = output;
  const earlier = await earlierLineages(output, signal);
  const written = new Map<number, string>();
  let singles = 0;
  let left = 0;
  for (const { name } of (await fileSystem.list(dir, signal)) ?? []) {
    const file = parseBatchFileName(name);
    if (file?.lineage === lineage) {
      if (file.planHash !== undefined) written.set(file.first, file.planHash);
      if (file.level === 0) singles++;
    } else if (file !== undefined && earlier.has(file.lineage)) left++;
  }
  if (left > 0) warn(`${dir} has ${left} files of an earlier checkpoint of "${jobName}": their rows stay there`);
  return { written, singles };
}

/** Reads which lineages this job wrote here before, and adds this one: a folder with an empty folder for each. */
async function earlierLineages(
  { fileSystem, dir, lineage, jobName }: Output,
  signal: AbortSignal,
): Promise<Set<string>> {
  const path = `${dir}/_lineages-${jobName}`;
  const lineages = new Set((await fileSystem.list(path, signal))?.map(({ name }) => name));
  if (!lineages.delete(lineage)) await fileSystem.makeFolder(`${path}/${lineage}`, "755", signal);
  return lineages;
}
