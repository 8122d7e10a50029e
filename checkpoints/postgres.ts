// The store in a Postgres database: a row an entry, in tables of a schema of its own, made on first use. Taking over
// locks the job's row, which one writer's token and the head are in, and puts a new token there together with the
// entry that begins the term: every older writer's append finds another token from then on, however long it was frozen.
// Needs the primary; a standby is refused.
import { randomBytes } from "node:crypto";
import {
  Connections,
  checkIdentifier,
  isMigrated,
  migrate,
  quoted,
  type Transaction,
} from "../connectors/postgres/client.ts";
import {
  CheckpointMissingError,
  type CheckpointStore,
  ConfigError,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { checkJobName } from "./job-name.ts";
import { examineDatabase } from "./postgres/examine.ts";
import { asBuffer, PostgresLogWriter } from "./postgres/log-writer.ts";
import { type Statements, statementsFor, storeMigrations } from "./postgres/tables.ts";

const MAX_ENTRY_BYTES = 16 * 1024 * 1024;
/** Entries of one answer. */
const PAGE = 32;
const MAX_CONNECTIONS = 4;
const TAKE_OVER_LIMITS = {
  lockTimeoutMs: 10_000,
  statementTimeoutMs: 20_000,
  idleTimeoutMs: 20_000,
  applicationName: "tidemark take-over",
};

export interface PostgresStoreOptions {
  /** As `url` of postgresSink. */
  readonly url: string;
  /** Instead of the URL's; asked for at each new connection. */
  readonly password?: () => string | Promise<string>;
  /** Where the tables are; made when it is not there. Default "tidemark". */
  readonly schema?: string;
}

/**
 * A checkpoint store in a Postgres database. With a postgresSink of the same server, database and user, a batch's rows
 * and its completion are one transaction. Constructing it does no I/O.
 * @throws ConfigError the URL cannot be right
 */
export function postgresStore(options: PostgresStoreOptions): CheckpointStore {
  return new PostgresStore(options);
}

class PostgresStore implements CheckpointStore {
  readonly url: string;
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly #connections: Connections;
  readonly #schema: string;
  readonly #statements: Statements;
  #isReady = false;

  constructor({ url, password, schema = "tidemark" }: PostgresStoreOptions) {
    this.#connections = new Connections({ url, password, max: MAX_CONNECTIONS });
    this.#schema = checkIdentifier(schema);
    this.#statements = statementsFor(schema);
    this.url = this.#connections.address.url;
  }

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    checkJobName(jobName);
    if (!(await this.#hasTables(signal))) return undefined;
    const doing = `read the checkpoint of ${jobName}`;
    const { rows } = await this.#connections.run(this.#statements.bounds, [jobName], { doing, signal });
    const [found] = rows;
    if (found === undefined) return undefined;
    if (found.first === null) throw this.#lost(jobName);
    return { first: BigInt(found.first), head: BigInt(found.head) };
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    checkJobName(jobName);
    if (!(await this.#hasTables(signal))) return;
    const doing = `read the checkpoint of ${jobName}`;
    for (let next = from; ; ) {
      const values = [jobName, `${next}`, PAGE];
      const { rows } = await this.#connections.run(this.#statements.read, values, { doing, signal });
      for (const { seq, token, bytes } of rows) {
        yield { seq: BigInt(seq), entry: { token, bytes: new Uint8Array(bytes) } };
        next = BigInt(seq) + 1n;
      }
      if (rows.length < PAGE) return;
    }
  }

  async takeOver(jobName: string, begin: (head: bigint) => NumberedEntry, signal: AbortSignal): Promise<LogWriter> {
    checkJobName(jobName);
    signal.throwIfAborted();
    await migrate(this.#connections, this.#schema, storeMigrations, signal);
    await this.#checkIsPrimary(signal);
    const writer = randomBytes(16).toString("hex");
    const doing = `take over the checkpoint of ${jobName}`;
    const { makeLog, endHolder, lockLog, beginTerm } = this.#statements;
    await this.#connections.run(endHolder, [jobName], { doing, signal });
    await using transaction: Transaction = await this.#connections.begin(TAKE_OVER_LIMITS, signal);
    await transaction.query(makeLog, [jobName], { doing, signal });
    const locked = await transaction.query(lockLog, [jobName], { doing, signal });
    const head = BigInt(locked.rows[0]?.head ?? -1);
    if (head < 0n && locked.rows[0]?.has_offsets === true) throw this.#lost(jobName);
    const { seq, entry } = begin(head);
    if (seq <= head) throw new RangeError(`a term cannot begin at entry ${seq}: the head is ${head}`);
    const values = [jobName, writer, `${seq}`, entry.token, asBuffer(entry.bytes)];
    await transaction.query(beginTerm, values, { doing, signal });
    await transaction.commit(doing, signal);
    return new PostgresLogWriter({
      connections: this.#connections,
      statements: this.#statements,
      jobName,
      writer,
    });
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    checkJobName(jobName);
    if (!(await this.#hasTables(signal))) return undefined;
    const options = { doing: `read the heartbeat of ${jobName}`, signal };
    const { rows } = await this.#connections.run(this.#statements.heartbeat, [jobName], options);
    const [found] = rows;
    if (found === undefined) return undefined;
    return {
      epoch: BigInt(found.epoch),
      beat: Number(found.beat),
      atMs: Number(found.at_ms),
      everyMs: Number(found.every_ms),
      host: found.host,
      pid: Number(found.pid),
      ...(found.process_start !== null && { processStart: found.process_start }),
      stopped: found.stopped,
      ...(found.current !== null && { current: found.current }),
    };
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    if (!(await this.#hasTables(signal))) return [];
    const options = { doing: "list the jobs of the checkpoint store", signal };
    const { rows } = await this.#connections.run(this.#statements.jobs, [], options);
    return rows.map(({ job }) => job);
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    return await examineDatabase(this.#connections, this.#schema, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }

  /** There is something of the job, but not its entries. */
  #lost(jobName: string): CheckpointMissingError {
    const tables = ["offsets", "entries", "logs"].map(
      (table) => `delete from ${quoted(this.#schema)}.${table} where job = '${jobName}'`,
    );
    const label = this.#connections.address.label;
    return new CheckpointMissingError(`"${jobName}" ran with ${label}, but the entries of its checkpoint are gone`, {
      hint: `put them back from a backup; or, to begin anew on purpose, type in psql: ${tables.join("; ")};`,
    });
  }

  /** Reading makes no tables: where there are none, there are no jobs. */
  async #hasTables(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#isReady) return true;
    await this.#checkIsPrimary(signal);
    this.#isReady = await isMigrated(this.#connections, this.#schema, storeMigrations, signal);
    return this.#isReady;
  }

  /** A standby shows what was there some time ago, which is not what the log is. */
  async #checkIsPrimary(signal: AbortSignal): Promise<void> {
    const options = { doing: "look whether it is the primary", signal };
    const { rows } = await this.#connections.run("select pg_is_in_recovery() as is_standby", [], options);
    if (rows[0]?.is_standby !== true) return;
    throw new ConfigError(`Postgres at ${this.#connections.address.label} is a standby, which may be behind`, {
      hint: "give the URL of the primary",
    });
  }
}
