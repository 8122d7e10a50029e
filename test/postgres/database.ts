// A database of its own for one test file on the run's server, and a look into it that goes past the code under test.
import { randomBytes } from "node:crypto";
import { Pool, type QueryResultRow } from "pg";
import { postgresServer } from "../servers/for-tests.ts";

export interface TestDatabase extends AsyncDisposable {
  /** Its URL, with the password. */
  readonly url: string;
  /** The URL of another database of the same server. */
  readonly otherUrl: string;
  /** As the owner. */
  query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** As the owner, in the other database. */
  queryOther<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** As the server's superuser. */
  admin<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
}

/** Makes the databases; disposing of them drops both. */
export async function testDatabase(server?: { url: string; adminUrl: string }): Promise<TestDatabase> {
  const { url, adminUrl } = server ?? (await postgresServer());
  const [name, other] = [newName("db"), newName("db")];
  const owner = quiet(new Pool({ connectionString: url, max: 1 }));
  for (const each of [name, other]) {
    await owner.query(`create database ${each}`);
    // By default a schema with the user's own name would come first, and the user's name is Tidemark's schema here.
    await owner.query(`alter database ${each} set search_path = public`);
  }
  const pool = quiet(new Pool({ connectionString: withDatabase(url, name), max: 4, allowExitOnIdle: true }));
  const otherPool = quiet(new Pool({ connectionString: withDatabase(url, other), max: 1, allowExitOnIdle: true }));
  const admin = quiet(new Pool({ connectionString: withDatabase(adminUrl, name), max: 1, allowExitOnIdle: true }));
  return {
    url: withDatabase(url, name),
    otherUrl: withDatabase(url, other),
    query: async <Row extends QueryResultRow>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    queryOther: async <Row extends QueryResultRow>(text: string, values: unknown[] = []) =>
      (await otherPool.query<Row>(text, values)).rows,
    admin: async <Row extends QueryResultRow>(text: string, values: unknown[] = []) =>
      (await admin.query<Row>(text, values)).rows,
    async [Symbol.asyncDispose]() {
      await Promise.all([pool.end(), otherPool.end(), admin.end()]);
      await owner.end();
      // Only the superuser may end what the server itself does in them.
      const dropper = new Pool({ connectionString: adminUrl, max: 1 });
      for (const each of [name, other]) await dropper.query(`drop database ${each} with (force)`);
      await dropper.end();
    },
  };
}

/** A name that nobody else uses. */
export function newName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString("hex")}`;
}

function quiet(pool: Pool): Pool {
  return pool.on("error", () => undefined);
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
