// The stores that are measured, each with what it is measured against. A new one is an entry here.
import { join } from "node:path";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import type { Sink } from "../../runtime/index.ts";
import type { PaymentsTopic } from "./payments-topic.ts";
import type { RawAppend } from "./raw-append.ts";
import { rawFileAppend } from "./raw-appends/file.ts";
import { rawHBaseAppend } from "./raw-appends/hbase.ts";
import { rawHdfsAppend } from "./raw-appends/hdfs.ts";
import { rawKafkaAppend } from "./raw-appends/kafka.ts";
import { rawPostgresAppend } from "./raw-appends/postgres.ts";
import { rawZooKeeperAppend } from "./raw-appends/zookeeper.ts";

export interface Place {
  /** A folder for files. */
  readonly dir: string;
  /** The system's address, from the environment; empty for files. */
  readonly address: string;
  /** Random: for what is made on a server. */
  readonly name: string;
}

export interface StoreKind {
  readonly name: string;
  /** The environment variable with its address: `npm run servers -- env` sets it. Files need none. */
  readonly variable?: string;
  /** The calls that it is measured against, for people. */
  readonly beside: string;
  /** How many are measured. */
  readonly appends: number;
  /** What p50 of the store's append may be, in p50s of the raw one; undefined where none was set. */
  readonly mostRatio?: number;
  /** The offsets are shown by a call of their own: then an append is measured without it and with it. */
  readonly showsApart?: string;
  url(place: Place): string;
  raw(place: Place): Promise<RawAppend>;
  /** A sink of the same system, whose rows and the entry are one transaction. */
  jointSink?(place: Place, topic: PaymentsTopic): Sink<object>;
}

export const storeKinds: readonly StoreKind[] = [
  {
    name: "file",
    beside: "write, fsync, rename, fsync of the folder",
    appends: 1_000,
    mostRatio: 1.5,
    url: ({ dir }) => `file:${join(dir, "store")}`,
    raw: ({ dir }) => rawFileAppend(join(dir, "raw")),
  },
  {
    name: "postgres",
    variable: "DATABASE_URL",
    beside: "update of the head + insert + upsert of offsets, one statement",
    appends: 1_000,
    mostRatio: 1.5,
    url: ({ address }) => address,
    raw: ({ address, name }) => rawPostgresAppend(address, name),
  },
  {
    name: "zookeeper",
    variable: "ZOOKEEPER_SERVERS",
    beside: "setData of the head + create + setData of offsets, one transaction",
    appends: 1_000,
    mostRatio: 1.5,
    url: ({ address, name }) => `zookeeper://${address}/${name}-store`,
    raw: ({ address, name }) => rawZooKeeperAppend(address, name),
  },
  {
    name: "hbase",
    variable: "HBASE_ZOOKEEPER",
    beside: "one checkAndMutate",
    showsApart: "one checkAndMutate, then a put of the customary row",
    appends: 1_000,
    mostRatio: 1.5,
    url: ({ address, name }) => `hbase://${address}/${name}_store`,
    raw: ({ address, name }) => rawHBaseAppend(address, name),
  },
  {
    name: "hdfs",
    variable: "WEBHDFS_URL",
    beside: "CREATE + RENAME",
    appends: 100,
    url: ({ address, name }) => address.replace(/(\?|$)/, `/${name}-store$1`),
    raw: ({ address, name }) => rawHdfsAppend(address, name),
  },
  {
    name: "kafka",
    variable: "KAFKA_BROKERS",
    beside: "one transaction of a record and offsets",
    appends: 200,
    url: ({ address }) => `kafka://${address}`,
    raw: ({ address, name }) => rawKafkaAppend(address, name),
    jointSink: (_, { brokers, output }) => kafkaSink({ brokers, topic: output }),
  },
];
