// What is wrong or unwise about a database as a checkpoint store, for `doctor`. It looks at settings and rights and
// changes nothing.
import { type Connections, quoted } from "../../connectors/postgres/client.ts";

/** What the statements here need; the tests run on 15. */
const OLDEST_VERSION = 12;

/** $1: the schema. Not by to_regclass, which fails where there is no right to look. */
const LOOK = `select current_setting('server_version_num')::integer / 10000 as version,
    current_setting('synchronous_commit') as synchronous_commit,
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as full_page_writes,
    current_setting('server_encoding') as encoding,
    pg_is_in_recovery() as is_standby,
    has_database_privilege(current_database(), 'create') as may_create,
    own.oid is not null as has_schema,
    coalesce(has_schema_privilege(own.oid, 'usage'), false) as may_use,
    coalesce(has_schema_privilege(own.oid, 'create'), false) as may_create_in,
    entries.oid is not null as has_tables,
    coalesce(has_table_privilege(entries.oid, 'select, insert, update, delete'), false) as may_write
  from (values ($1)) as wanted (name)
  left join pg_namespace as own on nspname = wanted.name
  left join pg_class as entries on relnamespace = own.oid and relname = 'entries'`;

/** The findings, one a line. */
export async function examineDatabase(
  connections: Connections,
  schema: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { label, user } = connections.address;
  const { rows } = await connections.run(LOOK, [schema], { doing: "examine the checkpoint store", signal });
  const seen = rows[0] ?? {};
  const findings: string[] = [];
  if (seen.version < OLDEST_VERSION)
    findings.push(`Postgres ${seen.version} at ${label} is older than ${OLDEST_VERSION}`);
  if (seen.fsync !== "on") findings.push(`fsync is off at ${label}: a crash of its machine can lose the checkpoint`);
  if (seen.full_page_writes !== "on")
    findings.push(`full_page_writes is off at ${label}: a crash can damage the tables`);
  if (seen.synchronous_commit === "off") {
    findings.push(
      `synchronous_commit is off for ${user} at ${label}: a crash forgets batches that were recorded, while other ` +
        `systems keep their rows: alter role ${quoted(user)} set synchronous_commit = on`,
    );
  }
  if (seen.encoding !== "UTF8")
    findings.push(`the database ${label} is in ${seen.encoding}: text outside of it is refused`);
  if (seen.is_standby) findings.push(`${label} is a standby: a job needs the primary`);
  if (!seen.has_schema && !seen.may_create) {
    findings.push(
      `${user} may not create the schema ${schema}: create schema ${quoted(schema)} authorization ${quoted(user)}`,
    );
  }
  if (seen.has_schema && (!seen.may_use || (!seen.has_tables && !seen.may_create_in))) {
    findings.push(
      `${user} may not use the schema ${schema}: grant usage, create on schema ${quoted(schema)} to ${quoted(user)}`,
    );
  }
  if (seen.has_tables && !seen.may_write) {
    const grant = `grant select, insert, update, delete on all tables in schema ${quoted(schema)} to ${quoted(user)}`;
    findings.push(`${user} may not write the checkpoint's tables: ${grant}`);
  }
  return findings;
}
