// The store in an HBase table: a row a job, since a row is what HBase changes in one step. Taking over puts a new token
// into the row's head by a check-and-put, together with the entry that begins the term; every older writer's append
// compares its own token there and is refused for ever, however long it was frozen. The completed positions are shown
// in the customary table as well, after the append, and once more at the next take-over.
import {
  type AddressOptions,
  checkedAddress,
  checkTableName,
  connectHBase,
  type HBaseAddress,
  type HBaseCluster,
  type HBaseTable,
  hbaseUrl,
  parseHBaseUrl,
} from "../connectors/hbase/client.ts";
import {
  type CheckpointStore,
  ConfigError,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { examineTable } from "./hbase/examine.ts";
import { FAMILY } from "./hbase/job-row.ts";
import { readBounds, readEntries } from "./hbase/read-log.ts";
import { OFFSETS_FAMILY, ShownOffsets } from "./hbase/shown-offsets.ts";
import { takeOver } from "./hbase/take-over.ts";
import { decodeHeartbeat } from "./heartbeat-json.ts";
import { checkJobName, isJobName } from "./job-name.ts";

/** HBase takes cells of 10 MiB (hbase.server.keyvalue.maxsize), names included. */
const MAX_ENTRY_BYTES = 10 * 1024 * 1024 - 4_096;
const JOBS_AT_ONCE = 1_000;
const GROUP = /^[a-zA-Z0-9._-]{1,249}$/;

export interface HBaseStoreOptions extends AddressOptions {
  /** The store's own table, made when it is not there. Default "tidemark". */
  readonly table?: string;
  /**
   * Offsets are shown under this group, in rows `topic:group:epochMs` of `offsetsTable`. Default: the job's name;
   * false: nowhere.
   */
  readonly group?: string | false;
  /** The table for that, made when it is not there. Default "stream_kafka_offsets". */
  readonly offsetsTable?: string;
}

/**
 * A checkpoint store in HBase. Constructing it does no I/O.
 * @throws ConfigError an option cannot be right
 */
export function hbaseStore(options: HBaseStoreOptions): CheckpointStore {
  return new HBaseStore(options);
}

/**
 * The store of `hbase://[user@]zk1:2181,zk2:2181[/table][?parent=/hbase&group=NAME]`.
 * @throws ConfigError
 */
export function hbaseStoreOf(url: string): CheckpointStore {
  const { address, table, parameters } = parseHBaseUrl(url);
  for (const name of parameters.keys()) {
    if (name === "group") continue;
    throw new ConfigError(`the URL of the HBase store has an unknown parameter ${JSON.stringify(name.slice(0, 40))}`, {
      hint: "there are parent and group",
    });
  }
  const group = parameters.get("group");
  return new HBaseStore({ ...address, ...(table !== undefined && { table }), ...(group !== null && { group }) });
}

class HBaseStore implements CheckpointStore {
  readonly url: string;
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly #address: HBaseAddress;
  readonly #tableName: string;
  readonly #group: string | false | undefined;
  readonly #offsetsTable: string;
  #connecting: { readonly cluster: Promise<HBaseCluster>; readonly signal: AbortSignal } | undefined;
  #isClosed = false;

  constructor(options: HBaseStoreOptions) {
    const { table = "tidemark", group, offsetsTable = "stream_kafka_offsets" } = options;
    this.#address = checkedAddress(options);
    this.#tableName = checkTableName(table);
    this.#offsetsTable = checkTableName(offsetsTable);
    if (typeof group === "string" && !GROUP.test(group)) {
      throw new ConfigError(`${JSON.stringify(group.slice(0, 80))} is no group`, {
        hint: "letters, digits, . _ and -",
      });
    }
    this.#group = group;
    this.url = hbaseUrl(this.#address, table);
  }

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    const table = await this.#existing(jobName, signal);
    return table && (await readBounds(table, jobName, signal));
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    const table = await this.#existing(jobName, signal);
    if (table !== undefined) yield* readEntries(table, jobName, from, signal);
  }

  async takeOver(jobName: string, begin: (head: bigint) => NumberedEntry, signal: AbortSignal): Promise<LogWriter> {
    checkJobName(jobName);
    const cluster = await this.#connect(signal);
    await cluster.ensureTable(this.#tableName, [FAMILY], signal);
    let shownOffsets: ShownOffsets | undefined;
    if (this.#group !== false) {
      await cluster.ensureTable(this.#offsetsTable, [OFFSETS_FAMILY], signal);
      shownOffsets = new ShownOffsets(cluster.table(this.#offsetsTable), this.#group ?? jobName);
    }
    return await takeOver({ table: cluster.table(this.#tableName), jobName, shownOffsets }, begin, signal);
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    const table = await this.#existing(jobName, signal);
    const [cell] = (await table?.get(jobName, FAMILY, ["heartbeat"], signal)) ?? [];
    return cell && decodeHeartbeat(Buffer.from(cell.value).toString());
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    const cluster = await this.#connect(signal);
    if (!(await cluster.hasTable(this.#tableName, signal))) return [];
    const table = cluster.table(this.#tableName);
    const names: string[] = [];
    for (let from = Buffer.alloc(0); ; ) {
      const range = { from, until: Buffer.alloc(0), limit: JOBS_AT_ONCE, family: FAMILY, qualifiers: ["head"] };
      const rows = await table.scan(range, signal);
      names.push(...rows.map(({ row }) => Buffer.from(row).toString()).filter(isJobName));
      const last = rows.at(-1);
      if (last === undefined || rows.length < JOBS_AT_ONCE) return names;
      // The next key there can be.
      from = Buffer.concat([last.row, Buffer.of(0)]);
    }
  }

  async describe(signal: AbortSignal): Promise<string> {
    const { protocol } = await this.#connect(signal);
    return `HBase, protocol ${protocol}`;
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    return await examineTable(await this.#connect(signal), this.#address, this.#tableName, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const cluster = await this.#connecting?.cluster.catch(() => undefined);
    await cluster?.[Symbol.asyncDispose]();
  }

  /** Reading makes no tables: where there is none, there are no jobs. */
  async #existing(jobName: string, signal: AbortSignal): Promise<HBaseTable | undefined> {
    checkJobName(jobName);
    const cluster = await this.#connect(signal);
    return (await cluster.hasTable(this.#tableName, signal)) ? cluster.table(this.#tableName) : undefined;
  }

  /** Whoever comes meanwhile waits for the same, but does not give up because another did. */
  async #connect(signal: AbortSignal): Promise<HBaseCluster> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#isClosed) throw new Error(`the store ${this.url} is closed`);
      this.#connecting ??= { cluster: connectHBase(this.#address, signal), signal };
      const connecting = this.#connecting;
      try {
        return await connecting.cluster;
      } catch (error) {
        if (this.#connecting === connecting) this.#connecting = undefined;
        if (signal.aborted || !connecting.signal.aborted) throw error;
      }
    }
  }
}
