// The Postgres sink's definition: a table to which each batch's rows are added, or in which they replace those with the
// same key. Exactly-once: rows and the batch's marker are one transaction, and with a checkpoint in the same database
// the entry is part of it.
import { ConfigError, type Sink, type SinkWriter } from "../../runtime/index.ts";
import { PostgresBatchWrite } from "./batch-write.ts";
import { Connections } from "./connections.ts";
import { quoted } from "./failures.ts";
import { applicationNameOf, Marker, sinkMigrations } from "./marker.ts";
import { migrate } from "./migrate.ts";
import { CopyRowEncoder } from "./row-encoder.ts";
import { checkIdentifier, parseTableName, type TableName } from "./table-name.ts";

const LOCK_TIMEOUT_MS = 30_000;
const DEFAULT_STATEMENT_TIMEOUT_MS = 300_000;
const DEFAULT_IDLE_TIMEOUT_MS = 600_000;
/** One that writes, one that looks. */
const MAX_CONNECTIONS = 2;

export interface PostgresSinkOptions<C extends string> {
  /**
   * `postgres://user:password@host:5432/database`; TLS by `?sslmode=verify-full` (or require, verify-ca: both check the
   * certificate as well; no-verify does not), `sslrootcert`, `sslcert`, `sslkey`. What is left out comes from PGHOST,
   * PGPORT, PGDATABASE, PGUSER and PGPASSWORD.
   */
  readonly url: string;
  /** Instead of the URL's; asked for at each new connection. */
  readonly password?: () => string | Promise<string>;
  /**
   * `table` or `schema.table`, upper and lower case as it stands; a part with a dot in it in double quotes. It must
   * exist.
   */
  readonly table: string;
  /** The properties to write, each to the column of its name. Default: all; one that is undefined everywhere is not. */
  readonly columns?: readonly C[];
  /**
   * "append" (default) adds rows; "upsert" replaces the row with the same `key`, on which the table must have a unique
   * index; of several rows of one batch with the same key the last counts.
   */
  readonly mode?: "append" | "upsert";
  readonly key?: C | readonly C[];
  /** Where the sink keeps its own table, `batches`; made when it is not there. Default "tidemark". */
  readonly schema?: string;
  /** For one statement, which holds some hundred KB of rows, or the whole batch in mode "upsert"; default 300,000. */
  readonly statementTimeoutMs?: number;
  /** For the pipeline between two rows of a batch; default 600,000. */
  readonly idleTimeoutMs?: number;
}

/**
 * Writes rows, which must be objects, to a table. Numbers, bigints, booleans and text go as they are, a Date as a
 * timestamp in UTC, bytes as bytea, other objects and arrays as JSON, null and undefined as NULL. Exactly-once.
 * @throws ConfigError an option is wrong
 */
export function postgresSink<const C extends string = never>(
  options: PostgresSinkOptions<C>,
): Sink<object & { [P in C]: unknown }> {
  const { url, table: given, schema = "tidemark", password } = options;
  const connect = () => new Connections({ url, max: MAX_CONNECTIONS, password });
  // What can be known to be wrong is said before anything runs.
  const { place } = connect().address;
  const table = parseTableName(given);
  checkIdentifier(schema);
  const columns = options.columns && checkedColumns("columns", options.columns);
  const key = checkedKey(options, columns);
  const statementTimeoutMs = checkedMs(options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS);
  const idleTimeoutMs = checkedMs(options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS);
  return {
    kind: "postgres",
    target: given,
    placeOfBatches: () => `${place} ${table.sql} ${schema}`,
    guarantee: "exactly-once",
    encodesToBytes: true,
    // With equal keys the last row counts, so then the order of all rows does.
    tasksInAnyOrder: key.length === 0,
    encoder: () => new CopyRowEncoder({ columns, key }),
    async open(context, signal) {
      const applicationName = applicationNameOf(context.lineageId, context.epoch);
      const limits = { lockTimeoutMs: LOCK_TIMEOUT_MS, statementTimeoutMs, idleTimeoutMs, applicationName };
      const connections = connect();
      try {
        await migrate(connections, schema, sinkMigrations, signal);
        const marker = new Marker(schema, await targetOf(connections, table, signal), context);
        await marker.raise(connections, limits, signal);
        return writerOf({ connections, marker, table, key, limits });
      } catch (error) {
        await connections[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

function writerOf(destination: ConstructorParameters<typeof PostgresBatchWrite>[0]): SinkWriter {
  const { connections, marker } = destination;
  return {
    async begin(batch) {
      if (!batch.isUnplanned && (await marker.has(connections, batch))) return "already-written";
      return new PostgresBatchWrite(destination, batch);
    },
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };
}

/** The table's one name with its schema; the given one while the table does not exist. */
async function targetOf(connections: Connections, table: TableName, signal: AbortSignal): Promise<string> {
  const { rows } = await connections.run(
    `select quote_ident(nspname) || '.' || quote_ident(relname) as name
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace where pg_class.oid = to_regclass($1)`,
    [table.sql],
    { doing: `look for the table ${table.given}`, signal },
  );
  return rows[0]?.name ?? table.sql;
}

function checkedKey<C extends string>(
  { mode = "append", key }: PostgresSinkOptions<C>,
  columns: readonly string[] | undefined,
): readonly string[] {
  if (mode !== "append" && mode !== "upsert") {
    throw new ConfigError(`postgresSink has no mode ${JSON.stringify(mode)}`, { hint: '"append" or "upsert"' });
  }
  if (mode === "append") {
    if (key === undefined) return [];
    throw new ConfigError('key is for mode: "upsert" of postgresSink', {
      hint: 'add mode: "upsert", or leave key out',
    });
  }
  const names = checkedColumns("key", typeof key === "string" ? [key] : (key ?? []));
  const missing = columns === undefined ? [] : names.filter((name) => !columns.includes(name));
  if (missing.length === 0) return names;
  throw new ConfigError(`the key ${missing.map(quoted).join(", ")} of postgresSink is not among its columns`);
}

function checkedColumns(option: string, names: readonly string[]): readonly string[] {
  if (!Array.isArray(names) || names.length === 0 || new Set(names).size !== names.length) {
    throw new ConfigError(`${option} of postgresSink must be names, at least one, each once`);
  }
  return names.map(checkIdentifier);
}

function checkedMs(ms: number): number {
  if (Number.isInteger(ms) && ms > 0 && ms < 2 ** 31) return ms;
  throw new ConfigError(`${ms} is no time in milliseconds for postgresSink`);
}
