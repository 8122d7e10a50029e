// Where a cluster is, as people write it: `hbase://zk1:2181,zk2:2181/table`. HBase is found through its ZooKeeper, so
// the hosts are those of ZooKeeper. What cannot be right is refused before anything connects.
import { userInfo } from "node:os";
import { ConfigError } from "../../runtime/index.ts";

const DEFAULT_PARENT = "/hbase";
const EXAMPLE = "hbase://zk1:2181,zk2:2181/table, with ?parent=/hbase-secure where the cluster's znode is another";
const TABLE = /^(?:[a-zA-Z0-9_]+:)?[a-zA-Z0-9_][a-zA-Z0-9_.-]*$/;
const FAMILY = /^[a-zA-Z0-9_-][a-zA-Z0-9_.-]*$/;

/** Where to find HBase, and as whom to come. */
export interface HBaseAddress {
  /** ZooKeeper's `host:port`, comma-separated. */
  readonly zookeeper: string;
  /** The znode below which HBase says where it is. */
  readonly parent: string;
  /** Who one says to be; a cluster without Kerberos believes it. */
  readonly user: string;
}

export interface AddressOptions {
  /** `zk1:2181,zk2:2181`; the port is 2181 unless given. */
  readonly zookeeper: string;
  /** Default "/hbase". */
  readonly parent?: string | undefined;
  /** Default: the name of the process's user. */
  readonly user?: string | undefined;
}

/** @throws ConfigError */
export function checkedAddress({ zookeeper, parent = DEFAULT_PARENT, user }: AddressOptions): HBaseAddress {
  const hosts = typeof zookeeper === "string" ? zookeeper.split(",").map((each) => each.trim()) : [];
  for (const host of hosts.length > 0 ? hosts : [""]) {
    const [, port = "2181"] = /^[a-z0-9._-]+(?::(\d{1,5}))?$/i.exec(host) ?? [host, "0"];
    if (Number(port) > 0 && Number(port) < 65_536) continue;
    throw new ConfigError(`${JSON.stringify(host.slice(0, 80))} is no server of ZooKeeper`, { hint: EXAMPLE });
  }
  if (!/^(\/[\w.-]+)+$/.test(parent)) {
    throw new ConfigError(`${JSON.stringify(parent.slice(0, 80))} is no path of ZooKeeper`, { hint: EXAMPLE });
  }
  const withPorts = hosts.map((host) => (host.includes(":") ? host : `${host}:2181`));
  return { zookeeper: withPorts.join(","), parent, user: user ?? userInfo().username };
}

/** What a URL says: where, the table if it names one, and the parameters but for `parent`. */
export interface HBaseUrl {
  readonly address: HBaseAddress;
  readonly table: string | undefined;
  readonly parameters: URLSearchParams;
}

/**
 * Reads `hbase://user@zk1:2181,zk2:2181/table?parent=/hbase`; user, table and parent may be left out.
 * @throws ConfigError
 */
export function parseHBaseUrl(url: string): HBaseUrl {
  const match = /^hbase:\/\/(?:([^@/?#:]*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(url);
  if (match === null) throw new ConfigError("the URL of HBase cannot be read", { hint: EXAMPLE });
  const [, user, zookeeper = "", table = "", query = ""] = match;
  const parameters = new URLSearchParams(query);
  const address = checkedAddress({
    zookeeper,
    parent: parameters.get("parent") ?? undefined,
    user: user === undefined || user === "" ? undefined : decoded(user),
  });
  parameters.delete("parent");
  return { address, table: table === "" ? undefined : checkTableName(decoded(table)), parameters };
}

/** The URL of a table, without what is as usual. */
export function hbaseUrl({ zookeeper, parent }: HBaseAddress, table: string): string {
  return `hbase://${zookeeper}/${table}${parent === DEFAULT_PARENT ? "" : `?parent=${parent}`}`;
}

/** Gives a table's name back, `table` or `namespace:table`. @throws ConfigError HBase would not take it */
export function checkTableName(name: string): string {
  if (typeof name === "string" && name.length <= 200 && TABLE.test(name)) return name;
  throw new ConfigError(`${JSON.stringify(name)} is no name of an HBase table`, {
    hint: "letters, digits, _ - and ., with namespace: before it where there is one",
  });
}

/** Gives a column family's name back. @throws ConfigError HBase would not take it */
export function checkFamilyName(name: string): string {
  if (typeof name === "string" && name.length <= 200 && FAMILY.test(name)) return name;
  throw new ConfigError(`${JSON.stringify(name)} is no name of an HBase column family`, {
    hint: "letters, digits, _ - and .",
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("the URL of HBase has a % that is no escape", { hint: "write %25 for a %" });
  }
}
