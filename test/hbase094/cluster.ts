// What the tests of HBase 0.94 share: the run's server, with tables of their own, which HBase's client in Java makes.
import { randomBytes } from "node:crypto";
import { checkedAddress, connectHBase, type HBaseCluster } from "../../connectors/hbase/client.ts";
import { hbase094Server } from "../servers/for-tests.ts";
import { runBsh } from "../servers/hbase094/run-bsh.ts";

const { signal } = new AbortController();

export interface TestCluster094 extends AsyncDisposable {
  readonly zookeeper: string;
  /** The store's table and the customary one, nobody else's. */
  readonly table: string;
  readonly offsetsTable: string;
  /** With the family f. */
  readonly rows: string;
  readonly cluster: HBaseCluster;
  /** Runs a script in HBase's own client. @returns its lines */
  java(script: string): Promise<string[]>;
}

/** The run's server and a connection to it. */
export async function testCluster094(): Promise<TestCluster094> {
  const addresses = await hbase094Server();
  const { zookeeper } = addresses;
  const [table, offsetsTable, rows] = ["tidemark", "offsets", "rows"].map(newName) as [string, string, string];
  const java = async (script: string) => (await runBsh(addresses, script, signal)).trim().split("\n");
  await java(`admin = new HBaseAdmin(conf);
    make(name, family) {
      column = new HColumnDescriptor(family);
      column.setMaxVersions(1);
      described = new HTableDescriptor(name);
      described.addFamily(column);
      admin.createTable(described);
    }
    make("${table}", "log"); make("${offsetsTable}", "offsets"); make("${rows}", "f");`);
  const cluster = await connectHBase(checkedAddress({ zookeeper }), signal);
  const close = async () => await cluster[Symbol.asyncDispose]();
  return { zookeeper, table, offsetsTable, rows, cluster, java, [Symbol.asyncDispose]: close };
}

/** A name that nobody else uses. */
export function newName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString("hex")}`;
}
