// The store in HDFS, over WebHDFS: one folder, one log per job. Exactly one log folder per job carries the token of its
// current writer: DIR/<job>/log-<token>/<seq>.entry. Taking over renames it, which shuts every older writer out for
// ever, however long it was frozen: its moves find no folder. Older entries are rolled together, so that a job's files
// stay few. How durable an entry is, HDFS's own replication says. An observer must not be among the name nodes: it may
// show what was there some time ago.
import { type HdfsAddress, HdfsFileSystem, parseHdfsUrl } from "../connectors/hdfs/client.ts";
import {
  CheckpointCorruptError,
  type CheckpointStore,
  ConfigError,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { MAX_ENTRY_BYTES } from "./hdfs/entry-file.ts";
import { examineFolder } from "./hdfs/examine.ts";
import { findLog, type ListedLog, listLog } from "./hdfs/log-folder.ts";
import { HEARTBEAT_FILE } from "./hdfs/log-writer.ts";
import { readLogFile } from "./hdfs/read-entry.ts";
import { takeOver } from "./hdfs/take-over.ts";
import { type JobPlace, jobFolderOf } from "./hdfs/temporary-file.ts";
import { decodeHeartbeat, HEARTBEAT_MAX_BYTES } from "./heartbeat-json.ts";
import { checkJobName, isJobName } from "./job-name.ts";

/** Files that are read at once. */
const READ_AHEAD = 8;
const DEFAULT_TIMEOUT_MS = 10_000;

export interface HdfsStoreOptions {
  /**
   * `webhdfs://namenode:9870/dir`, or `swebhdfs://` for TLS; several name nodes with commas between. Parameters:
   * `user.name`, and `ca`, a PEM file. The folder is made when the first job is taken over.
   */
  readonly url: string;
  /** Instead of the URL's `user.name`; default: HADOOP_USER_NAME, or whoever runs this. */
  readonly user?: string;
  /** Of each request, > 0; default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * A checkpoint store in a folder of HDFS. Constructing it does no I/O.
 * @throws ConfigError the URL cannot be right
 */
export function hdfsStore(options: HdfsStoreOptions): CheckpointStore {
  return new HdfsStore(options);
}

class HdfsStore implements CheckpointStore {
  readonly url: string;
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly #address: HdfsAddress;
  readonly #fileSystem: HdfsFileSystem;

  constructor({ url, user, timeoutMs = DEFAULT_TIMEOUT_MS }: HdfsStoreOptions) {
    if (!(timeoutMs > 0)) throw new ConfigError("timeoutMs of hdfsStore must be more than 0");
    this.#address = parseHdfsUrl(url, user);
    this.#fileSystem = new HdfsFileSystem(this.#address, timeoutMs);
    this.url = this.#address.url;
  }

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    const { first, head } = (await this.#list(this.#placeOf(jobName), signal)) ?? {};
    return first === undefined || head === undefined ? undefined : { first, head };
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    const place = this.#placeOf(jobName);
    let next = from;
    for (;;) {
      const log = await this.#list(place, signal);
      if (log?.first === undefined) return;
      if (next < log.first) next = log.first;
      const wanted = log.files.filter(({ to }) => to >= next);
      let isWhole = true;
      for await (const { entries, to } of readAhead(place, wanted, signal)) {
        // Rolled, pruned or taken over since it was listed: what is there now goes on where this ends.
        isWhole = entries !== undefined;
        if (entries === undefined) break;
        yield* entries.filter(({ seq }) => seq >= next);
        next = to + 1n;
      }
      if (isWhole) return;
    }
  }

  async takeOver(jobName: string, begin: (head: bigint) => NumberedEntry, signal: AbortSignal): Promise<LogWriter> {
    return await takeOver(this.#placeOf(jobName), begin, signal);
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    const place = this.#placeOf(jobName);
    signal.throwIfAborted();
    const log = await findLog(this.#fileSystem, jobFolderOf(place), signal);
    if (log === undefined) return undefined;
    const options = { maxBytes: HEARTBEAT_MAX_BYTES, signal };
    const text = await this.#fileSystem.read(`${log.path}/${HEARTBEAT_FILE}`, options);
    return text === undefined ? undefined : decodeHeartbeat(text.toString("utf8"));
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    const there = (await this.#fileSystem.list(this.#address.folder, signal)) ?? [];
    const names = there.filter(({ name, isFolder }) => isFolder && isJobName(name)).map(({ name }) => name);
    const withLog: string[] = [];
    for (const name of names.sort()) {
      if (await this.#hasLog(name, signal)) withLog.push(name);
    }
    return withLog;
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    return await examineFolder(this.#fileSystem, this.#address.folder, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fileSystem[Symbol.asyncDispose]();
  }

  #placeOf(jobName: string): JobPlace {
    checkJobName(jobName);
    return { fileSystem: this.#fileSystem, dir: this.#address.folder, jobName };
  }

  #list(place: JobPlace, signal: AbortSignal): Promise<ListedLog | undefined> {
    return listLog(this.#fileSystem, jobFolderOf(place), signal);
  }

  /** A damaged log is a log: whoever asks about the job by name gets the error. */
  async #hasLog(jobName: string, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.bounds(jobName, signal)) !== undefined;
    } catch (error) {
      if (error instanceof CheckpointCorruptError) return true;
      throw error;
    }
  }
}

/** The files' entries in order, the next ones being read already; undefined for one that is not there any more. */
async function* readAhead(place: JobPlace, files: ListedLog["files"], signal: AbortSignal) {
  for (let start = 0; start < files.length; start += READ_AHEAD) {
    signal.throwIfAborted();
    const ahead = files.slice(start, start + READ_AHEAD).map((file) => {
      const reading = readLogFile(place, file, signal);
      // Its turn may never come, if an earlier one is damaged; what is sound before that is given out first.
      reading.catch(() => undefined);
      return { reading, to: file.to };
    });
    for (const { reading, to } of ahead) yield { entries: await reading, to };
  }
}
