// Makes and changes Tidemark's own tables in a schema of their own: numbered steps, each applied once, under a lock, so
// that processes that begin together do not collide. Looking costs one statement, and needs no right to create anything
// once the tables are there.
import { ConfigError } from "../../runtime/index.ts";
import type { Connections } from "./connections.ts";
import { quoted } from "./failures.ts";
import type { Transaction } from "./transaction.ts";

/** For pg_advisory_xact_lock: any number that nobody else uses; the letters "tide". */
const LOCK_KEY = 0x74696465;
const LIMITS = {
  lockTimeoutMs: 20_000,
  statementTimeoutMs: 20_000,
  idleTimeoutMs: 20_000,
  applicationName: "tidemark migration",
};

/** The tables of one part; sink and store have their own numbers. */
export interface Migrations {
  readonly part: "sink" | "store";
  /** Each makes statements for a schema, whose name is quoted already. Never change one that was published: add. */
  readonly steps: readonly ((schema: string) => string)[];
}

/**
 * Whether the tables are there as this version knows them.
 * @throws ConfigError a newer version made them
 */
export async function isMigrated(
  connections: Connections,
  schema: string,
  { part, steps }: Migrations,
  signal: AbortSignal,
): Promise<boolean> {
  const options = { doing: `look for the tables of Tidemark in schema ${schema}`, signal };
  const ledger = `${quoted(schema)}.migrations`;
  const found = await connections.run("select to_regclass($1) is not null as there", [ledger], options);
  if (found.rows[0]?.there !== true) return false;
  const { rows } = await connections.run(newestIn(ledger), [part], options);
  return isNewest(rows[0]?.version, steps.length, schema);
}

/** Brings the tables up to this version. Idempotent. @throws ConfigError they cannot be made, with what to grant */
export async function migrate(
  connections: Connections,
  schema: string,
  migrations: Migrations,
  signal: AbortSignal,
): Promise<void> {
  if (await isMigrated(connections, schema, migrations, signal)) return;
  await using transaction = await connections.begin(LIMITS, signal);
  const doing = `make the tables of Tidemark in schema ${schema}`;
  const run = (text: string, values: unknown[] = []) => transaction.query(text, values, { doing, signal });
  await run("select pg_advisory_xact_lock($1)", [LOCK_KEY]);
  await makeLedger(run, schema);
  await applyMissing(run, schema, migrations);
  await transaction.commit(doing, signal);
}

type Run = (text: string, values?: unknown[]) => ReturnType<Transaction["query"]>;

async function makeLedger(run: Run, schema: string): Promise<void> {
  // "if not exists" would ask for the right to create it also where it exists.
  const { rows } = await run("select to_regnamespace($1) is not null as there", [quoted(schema)]);
  if (rows[0]?.there !== true) await run(`create schema ${quoted(schema)}`);
  const ledger = `${quoted(schema)}.migrations`;
  const found = await run("select to_regclass($1) is not null as there", [ledger]);
  if (found.rows[0]?.there === true) return;
  await run(`create table ${ledger} (
    part text not null,
    version integer not null,
    applied_at timestamptz not null default now(),
    primary key (part, version))`);
}

async function applyMissing(run: Run, schema: string, { part, steps }: Migrations): Promise<void> {
  const ledger = `${quoted(schema)}.migrations`;
  const { rows } = await run(newestIn(ledger), [part]);
  if (isNewest(rows[0]?.version, steps.length, schema)) return;
  const applied = Number(rows[0]?.version ?? 0);
  for (const [index, step] of steps.entries()) {
    if (index < applied) continue;
    await run(step(quoted(schema)));
    await run(`insert into ${ledger} (part, version) values ($1, $2)`, [part, index + 1]);
  }
}

function newestIn(ledger: string): string {
  return `select max(version) as version from ${ledger} where part = $1`;
}

function isNewest(version: unknown, known: number, schema: string): boolean {
  if (Number(version ?? 0) <= known) return Number(version ?? 0) === known;
  throw new ConfigError(`a newer version of Tidemark made the tables in schema ${schema}`, {
    hint: "npm install tidemark@latest",
  });
}
