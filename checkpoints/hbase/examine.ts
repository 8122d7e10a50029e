// What is wrong or unwise about a cluster as a checkpoint store, for `doctor`. It changes nothing.
import type { HBaseAddress, HBaseCluster } from "../../connectors/hbase/client.ts";

/** The findings, one a line. */
export function examineTable({ protocol }: HBaseCluster, { zookeeper }: HBaseAddress): readonly string[] {
  if (protocol === "2.x") return [];
  return [`HBase at ${zookeeper} speaks the protocol of 0.94, which has had no releases since 2015`];
}
