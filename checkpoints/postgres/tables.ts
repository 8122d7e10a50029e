// The store's tables and every statement that changes them. `logs` has one row per job: the writer that took over last
// and the head, both compared and changed in the statement that appends. People may read `offsets` and `heartbeats`.
import { type Migrations, quoted } from "../../connectors/postgres/client.ts";

/** The store's tables, step by step. */
export const storeMigrations: Migrations = {
  part: "store",
  steps: [
    (schema) => `create table ${schema}.logs (
      job text primary key,
      writer text not null,
      head bigint not null
    ) with (fillfactor = 50);
    create table ${schema}.entries (
      job text not null,
      seq bigint not null,
      token text not null,
      bytes bytea not null,
      primary key (job, seq)
    );
    create table ${schema}.offsets (
      job text not null,
      topic text not null,
      partition integer not null,
      until_offset bigint not null,
      primary key (job, topic, partition)
    ) with (fillfactor = 50);
    create table ${schema}.heartbeats (
      job text primary key,
      epoch bigint not null,
      beat bigint not null,
      at_ms bigint not null,
      every_ms bigint not null,
      host text not null,
      pid bigint not null,
      process_start text,
      stopped boolean not null
    ) with (fillfactor = 50);
    comment on table ${schema}.offsets is 'for people: the next offset of each job, as of its last completed batch'`,
    (schema) => `alter table ${schema}.heartbeats add column current text`,
  ],
};

/** The statements on the tables of one schema. */
export interface Statements {
  /** job */
  readonly bounds: string;
  /** job, from, limit */
  readonly read: string;
  /** job, seq */
  readonly entryAndHead: string;
  /** job, writer, seq, token, bytes, topics, partitions, offsets: appends unless the writer or the head is another. */
  readonly append: string;
  /** job: its row in `logs`, so that there is one to lock. */
  readonly makeLog: string;
  /** job: ends the session of a sink that holds the log's row. */
  readonly endHolder: string;
  /** job: gives the head, and whether the customary offsets have positions of this job. */
  readonly lockLog: string;
  /** job, writer, seq, token, bytes */
  readonly beginTerm: string;
  /** job, writer, before, limit */
  readonly prune: string;
  readonly beat: string;
  readonly heartbeat: string;
  readonly jobs: string;
}

/** @param schemaName not quoted */
export function statementsFor(schemaName: string): Statements {
  const schema = quoted(schemaName);
  return {
    bounds: `select head, (select min(seq) from ${schema}.entries where entries.job = logs.job) as first
      from ${schema}.logs where job = $1 and head >= 0`,
    read: `select seq, token, bytes from ${schema}.entries where job = $1 and seq >= $2 order by seq limit $3`,
    entryAndHead: `select head, token, bytes from ${schema}.logs
      left join ${schema}.entries on entries.job = logs.job and seq = $2 where logs.job = $1`,
    append: `with moved as (
        update ${schema}.logs set head = $3 where job = $1 and writer = $2 and head = $3::bigint - 1 returning job
      ), appended as (
        insert into ${schema}.entries (job, seq, token, bytes) select job, $3, $4, $5 from moved
      ), shown as (
        insert into ${schema}.offsets (job, topic, partition, until_offset)
        select moved.job, position.* from moved, unnest($6::text[], $7::integer[], $8::bigint[]) as position
        on conflict (job, topic, partition) do update set until_offset = excluded.until_offset
        where offsets.until_offset <> excluded.until_offset
      )
      select count(*)::integer as appended from moved`,
    makeLog: `insert into ${schema}.logs (job, writer, head) values ($1, '', -1) on conflict (job) do nothing`,
    // The row's xmax is the transaction that has changed it and not ended: no other way to the holder of a row lock
    // needs no waiting. Only a sink's session ever holds it between two statements; its name ends in an epoch.
    endHolder: `select pg_terminate_backend(activity.pid) from ${schema}.logs
      join pg_locks on locktype = 'transactionid' and transactionid = logs.xmax and granted and mode = 'ExclusiveLock'
      join pg_stat_activity as activity on activity.pid = pg_locks.pid
      where logs.job = $1 and usename = current_user and application_name ~ '^tidemark [0-9a-zA-Z]+ [0-9]+$'`,
    lockLog: `select head, exists (select from ${schema}.offsets where offsets.job = logs.job) as has_offsets
      from ${schema}.logs where job = $1 for update`,
    beginTerm: `with begun as (
        update ${schema}.logs set writer = $2, head = $3 where job = $1 returning job
      )
      insert into ${schema}.entries (job, seq, token, bytes) select job, $3, $4, $5 from begun`,
    prune: `delete from ${schema}.entries where job = $1 and seq in (
        select seq from ${schema}.entries join ${schema}.logs using (job)
        where job = $1 and writer = $2 and seq < least($3, head) order by seq limit $4
      )`,
    beat: `insert into ${schema}.heartbeats as last
        (job, epoch, beat, at_ms, every_ms, host, pid, process_start, stopped, current)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      on conflict (job) do update set epoch = excluded.epoch, beat = excluded.beat, at_ms = excluded.at_ms,
        every_ms = excluded.every_ms, host = excluded.host, pid = excluded.pid,
        process_start = excluded.process_start, stopped = excluded.stopped, current = excluded.current
      where last.epoch <= excluded.epoch`,
    heartbeat: `select * from ${schema}.heartbeats where job = $1`,
    jobs: `select job from ${schema}.logs where head >= 0 order by job collate "C"`,
  };
}
