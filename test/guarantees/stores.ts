// The checkpoint stores of the matrix. A new one is an entry here, and an address in where.ts.
import type { Where } from "./where.ts";

export interface StoreCase {
  /** As in the table of docs/guarantees.md. */
  readonly name: string;
  /** As a user writes it. */
  url(where: Where): string;
}

export const stores: readonly StoreCase[] = [
  { name: "file", url: ({ dir }) => `file:${dir}/checkpoint` },
  { name: "postgres", url: ({ servers }) => servers.postgres.url },
  { name: "zookeeper", url: ({ servers }) => `zookeeper://${servers.zookeeper.servers}/guarantees` },
  { name: "hbase", url: ({ servers, name }) => `hbase://${servers.hbase.zookeeper}/${name}_checkpoint` },
  { name: "hdfs", url: ({ servers, name }) => servers.hdfs.url.replace("?", `/${name}-checkpoint?`) },
  { name: "kafka", url: ({ servers }) => `kafka://${servers.kafka.bootstrap}` },
];
