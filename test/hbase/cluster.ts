// What the tests of HBase share: addresses on the run's server, with tables of their own.
import { randomBytes } from "node:crypto";
import { checkedAddress, connectHBase, type HBaseCluster } from "../../connectors/hbase/client.ts";
import { hbaseServer } from "../servers/for-tests.ts";
import type { HbaseAddresses } from "../servers/hbase/server.ts";

export interface TestCluster extends AsyncDisposable {
  readonly addresses: HbaseAddresses;
  readonly zookeeper: string;
  /** The store's table and the customary one, nobody else's. */
  readonly table: string;
  readonly offsetsTable: string;
  readonly cluster: HBaseCluster;
}

/** The run's server, or another, and a connection to it. */
export async function testCluster(server?: HbaseAddresses): Promise<TestCluster> {
  const addresses = server ?? (await hbaseServer());
  const { zookeeper } = addresses;
  const cluster = await connectHBase(checkedAddress({ zookeeper }), new AbortController().signal);
  return {
    addresses,
    zookeeper,
    table: newName("tidemark"),
    offsetsTable: newName("offsets"),
    cluster,
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

/** A name that nobody else uses. */
export function newName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString("hex")}`;
}
