// The sinks of the matrix, each with a reader of what it wrote that shares nothing with Tidemark. A new one is an entry
// here. Runs in the test's process and in the job's: what only one of them needs is loaded when it is asked for.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Sink } from "tidemark";
import { rowsInTable, TopicRows } from "../crash/kafka-readers.ts";
import { type FoundRow, type InputRecord, PARTITIONS } from "../crash/kafka-rows.ts";
import { BrokerTopics } from "../kafka/broker-topics.ts";
import { scanTable } from "../servers/hbase/scan-table.ts";
import { mustRun } from "../servers/run-program.ts";
import type { Where } from "./where.ts";

const DEADLINE_MS = 30_000;

export interface SinkCase {
  /** As in the table of docs/guarantees.md. */
  readonly name: string;
  /** The stores, by name, whose entry and this sink's rows are one transaction. */
  readonly joins: readonly string[];
  /** Makes the place that the rows go to, where the sink does not do it. */
  prepare(where: Where): Promise<void>;
  /** Called in the job's process. */
  sink(where: Where): Promise<Sink<InputRecord>>;
  /**
   * Where rows do not appear all together: has `then` called when a half of a batch's rows is there. Called in the
   * job's process.
   */
  halfway?(where: Where, then: () => void): Promise<void>;
  /** What is there, in the order of writing; `expected`: so many rows should be. */
  rows(where: Where, expected: number): Promise<readonly FoundRow[]>;
}

const files: SinkCase = {
  name: "files",
  joins: [],
  prepare: async () => {},
  sink: async ({ dir }) => (await import("tidemark/connectors/files")).fileSink({ dir: join(dir, "out") }),
  rows: async ({ dir }) => {
    const names = readdirSync(join(dir, "out")).filter((name) => !/^[._]/.test(name));
    return names.sort().flatMap((name) => rowsOfLines(readFileSync(join(dir, "out", name), "utf8")));
  },
};

/** The table has no key, so that a row can be there twice. */
const postgres: SinkCase = {
  name: "postgres",
  joins: ["postgres"],
  prepare: async ({ servers: { postgres: database }, name }) => {
    const columns = "id bigint, partition int, seq bigint, text text, position bigint generated always as identity";
    const args = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", `create table ${name} (${columns})`, database.url];
    const options = { signal: AbortSignal.timeout(DEADLINE_MS), installHint: "apt-get install postgresql" };
    await mustRun(join(database.bin, "psql"), args, options);
  },
  sink: async ({ servers, name }) =>
    (await import("tidemark/connectors/postgres")).postgresSink({ url: servers.postgres.url, table: name }),
  rows: ({ servers, name }) => rowsInTable(servers.postgres.bin, servers.postgres.url, name),
};

const kafka: SinkCase = {
  name: "kafka",
  joins: ["kafka"],
  prepare: async ({ servers, name }) => {
    await using topics = new BrokerTopics(servers.kafka.bootstrap);
    await topics.create(PARTITIONS, {}, name);
  },
  sink: async ({ servers, name }) => {
    const { kafkaSink } = await import("tidemark/connectors/kafka");
    // Small record batches: some are sent, in a transaction that is open, before the commit.
    const limits = { recordBatchMaxBytes: 2_048 };
    return kafkaSink({ brokers: [servers.kafka.bootstrap], topic: name, partition: "partition", ...limits });
  },
  rows: ({ servers, name }, expected) => new TopicRows(servers.kafka.bootstrap, name).read(expected),
};

const hdfs: SinkCase = {
  name: "hdfs",
  joins: [],
  prepare: async () => {},
  sink: async (where) => (await import("tidemark/connectors/hdfs")).hdfsSink({ url: outputInHdfs(where) }),
  rows: async (where) => {
    const { host, pathname, search } = new URL(outputInHdfs(where).replace(/^webhdfs:/, "http:"));
    const folder = `http://${host}/webhdfs/v1${pathname}`;
    const listing = JSON.parse(await curl(`${folder}${search}&op=LISTSTATUS`));
    const statuses: { readonly pathSuffix: string }[] = listing.FileStatuses.FileStatus;
    const names = statuses.map(({ pathSuffix }) => pathSuffix).filter((name) => !/^[._]/.test(name));
    const rows: FoundRow[] = [];
    for (const name of names.sort()) rows.push(...rowsOfLines(await curl(`${folder}/${name}${search}&op=OPEN`)));
    return rows;
  },
};

/** The key puts rows in order; the same key again would be the same row. */
const hbase: SinkCase = {
  name: "hbase",
  joins: [],
  prepare: async ({ servers, name }) => {
    const { checkedAddress, connectHBase } = await import("../../connectors/hbase/client.ts");
    const { zookeeper } = servers.hbase;
    const signal = AbortSignal.timeout(DEADLINE_MS);
    await using cluster = await connectHBase(checkedAddress({ zookeeper }), signal);
    await cluster.ensureTable(name, ["f"], signal);
  },
  sink: async ({ servers, name }) => {
    const { hbaseSink } = await import("tidemark/connectors/hbase");
    return hbaseSink({ zookeeper: servers.hbase.zookeeper, table: name, row: rowKey });
  },
  halfway: async ({ name }, then) => {
    const { RpcTable } = await import("../../connectors/hbase/rpc-table.ts");
    const { write } = RpcTable.prototype;
    RpcTable.prototype.write = async function (changes, signal) {
      if (this.name !== name) return await write.call(this, changes, signal);
      const half = Math.floor(changes.length / 2);
      await write.call(this, changes.slice(0, half), signal);
      then();
      await write.call(this, changes.slice(half), signal);
    };
  },
  rows: async ({ servers, name }) => {
    const cells = await scanTable(servers.hbase, name, { signal: AbortSignal.timeout(DEADLINE_MS) });
    const rows = new Map<string, Partial<FoundRow>>();
    for (const { row, column, value } of cells) {
      rows.set(row, { ...rows.get(row), [column.slice("f:".length)]: Number(value) });
    }
    return [...rows].map(([key, { id = -1, partition = -1, seq = -1 }]) => {
      if (key !== rowKey({ partition, seq })) throw new Error(`the row ${key} has the cells of another`);
      return { id, partition, seq };
    });
  },
};

export const sinks: readonly SinkCase[] = [files, postgres, kafka, hdfs, hbase];

function outputInHdfs({ servers, name }: Where): string {
  return servers.hdfs.url.replace("?", `/${name}?`);
}

function curl(url: string): Promise<string> {
  const options = { signal: AbortSignal.timeout(DEADLINE_MS), installHint: "apt-get install curl" };
  return mustRun("curl", ["--silent", "--show-error", "--fail", "--location", url], options);
}

function rowKey({ partition, seq }: Pick<InputRecord, "partition" | "seq">): string {
  return `${partition}-${`${seq}`.padStart(6, "0")}`;
}

function rowsOfLines(text: string): FoundRow[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error(`a file ends within a row: …${text.slice(-80)}`);
  return lines.map((line) => JSON.parse(line) as FoundRow);
}
