// Connects to a cluster in the protocol that it speaks, which ZooKeeper tells; never guessed, and never tried out: a
// client of the one hangs on a server of the other.
import type { HBaseAddress } from "./address.ts";
import { Hbase094Cluster } from "./hbase094-cluster.ts";
import { protocolOf } from "./in-zookeeper.ts";
import { RpcCluster } from "./rpc-cluster.ts";
import type { HBaseCluster } from "./table.ts";

/**
 * A connection to the cluster; dispose it.
 * @throws ConfigError there is no HBase there, or its client is not installed
 * @throws TransientError ZooKeeper cannot be reached, or HBase has not come up yet
 */
export async function connectHBase(address: HBaseAddress, signal: AbortSignal): Promise<HBaseCluster> {
  const protocol = await protocolOf(address, signal);
  if (protocol === "2.x") return new RpcCluster(address);
  return new Hbase094Cluster(address);
}
