// Postgres: one statement that moves the head if it is where it should be, inserts the entry then, and shows the
// offsets.
import pg from "pg";
import type { RawAppend } from "../raw-append.ts";

/** Makes three tables of its own, whose names end in `name`, and drops them in the end. */
export async function rawPostgresAppend(url: string, name: string): Promise<RawAppend> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create table heads_${name} (job text primary key, head bigint not null) with (fillfactor = 50);
    create table entries_${name} (job text, seq bigint, bytes bytea not null, primary key (job, seq));
    create table offsets_${name} (
      job text, topic text, partition int, until bigint, primary key (job, topic, partition)
    ) with (fillfactor = 50);
    insert into heads_${name} values ('${name}', -1)`);
  const compareAndSet = `with moved as (
      update heads_${name} set head = $2 where job = $1 and head = $2::bigint - 1 returning job
    ), shown as (
      insert into offsets_${name} select moved.job, position.*
      from moved, unnest($4::text[], $5::int[], $6::bigint[]) as position
      on conflict (job, topic, partition) do update set until = excluded.until
    )
    insert into entries_${name} select job, $2, $3 from moved`;
  return {
    async append(seq, bytes, positions) {
      const topics = positions.map(({ topic }) => topic);
      const partitions = positions.map(({ partition }) => partition);
      const offsets = positions.map(({ offset }) => offset);
      const { rowCount } = await client.query(compareAndSet, [name, seq, bytes, topics, partitions, offsets]);
      if (rowCount !== 1) throw new Error(`${rowCount} rows were inserted`);
    },
    async [Symbol.asyncDispose]() {
      await client.query(`drop table heads_${name}, entries_${name}, offsets_${name}`);
      await client.end();
    },
  };
}
