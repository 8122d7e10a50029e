// What HBase says of itself in ZooKeeper: which protocol its clients must speak, who holds hbase:meta, who is the
// master. A node's data are 0xFF, the length of an id, the id, "PBUF" and a message; clusters of 0.94 have other nodes.
import { ConfigError, TransientError } from "../../runtime/index.ts";
import { ZooKeeperClient } from "../zookeeper/client.ts";
import type { HBaseAddress } from "./address.ts";
import { decode, type ServerNameMessage } from "./messages.ts";
import type { ServerAddress } from "./rpc-connection.ts";
import type { HBaseProtocol } from "./table.ts";

const MAGIC = "PBUF";
const META = "meta-region-server";
/** Where 0.94 says who holds its root region. */
const ROOT = "root-region-server";

/**
 * Which protocol the cluster speaks, by the nodes that it keeps.
 * @throws ConfigError there is no HBase under that parent
 * @throws TransientError ZooKeeper cannot be reached, or HBase has not come up yet
 */
export async function protocolOf(address: HBaseAddress, signal: AbortSignal): Promise<HBaseProtocol> {
  await using zookeeper = new ZooKeeperClient({ servers: address.zookeeper });
  const names = await zookeeper.children(address.parent, signal);
  if (names?.includes(META)) return "2.x";
  if (names?.includes(ROOT)) return "0.94";
  const at = `${address.parent} in ZooKeeper at ${address.zookeeper}`;
  if (names !== undefined) {
    throw new TransientError(`HBase has not come up yet: nobody serves hbase:meta (${at})`, {
      hint: "is HBase running?",
    });
  }
  throw new ConfigError(`there is no ${at}`, {
    hint: "start HBase, or name its zookeeper.znode.parent: hbase://…?parent=/hbase-secure",
  });
}

/** Who holds hbase:meta. @throws TransientError nobody now, or ZooKeeper cannot be reached */
export async function metaServer(address: HBaseAddress, signal: AbortSignal): Promise<ServerAddress> {
  const message = await read<{ server: ServerNameMessage }>(address, META, "MetaRegionServer", signal);
  return addressOf(message.server);
}

/** The active master. @throws TransientError there is none now, or ZooKeeper cannot be reached */
export async function masterServer(address: HBaseAddress, signal: AbortSignal): Promise<ServerAddress> {
  const message = await read<{ master: ServerNameMessage }>(address, "master", "Master", signal);
  return addressOf(message.master);
}

async function read<T>(
  { zookeeper: servers, parent }: HBaseAddress,
  name: string,
  type: "MetaRegionServer" | "Master",
  signal: AbortSignal,
): Promise<T> {
  await using zookeeper = new ZooKeeperClient({ servers });
  const path = `${parent}/${name}`;
  const node = await zookeeper.get(path, signal);
  if (node === undefined) {
    throw new TransientError(`HBase is not there: no ${path} in ZooKeeper at ${servers}`, {
      hint: "is HBase running?",
    });
  }
  const { data } = node;
  const at = data.length > 5 && data[0] === 0xff ? 5 + data.readUInt32BE(1) : 0;
  if (data.toString("latin1", at, at + MAGIC.length) !== MAGIC) {
    throw new ConfigError(`${path} in ZooKeeper at ${servers} is not what HBase writes there`);
  }
  return decode<T>(type, data.subarray(at + MAGIC.length));
}

function addressOf({ hostName, port = 0 }: ServerNameMessage): ServerAddress {
  return { host: hostName, port };
}
