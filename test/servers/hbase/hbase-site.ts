// HBase's configuration: master, region server and ZooKeeper in one process on 127.0.0.1, which keeps its files in its
// folder and loses nothing that it acknowledged when it is killed.
import { join } from "node:path";
import type { Place } from "../server-kind.ts";

/** The text of hbase-site.xml. */
export function hbaseSite({ folder, ports }: Place): string {
  const data = join(folder, "data");
  const settings: readonly (readonly [name: string, value: string | number | undefined])[] = [
    ["hbase.cluster.distributed", "false"],
    ["hbase.rootdir", `file://${join(data, "hbase")}`],
    ["hbase.tmp.dir", join(folder, "tmp")],
    ["hbase.wal.provider", "filesystem"],
    // Hadoop's other local file system keeps what is to be synced in the process, where a kill loses it.
    ["fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem"],
    ["hbase.zookeeper.quorum", "127.0.0.1"],
    ["hbase.zookeeper.property.dataDir", join(data, "zookeeper")],
    ["hbase.zookeeper.property.clientPort", ports["zookeeper"]],
    ["hbase.zookeeper.property.clientPortAddress", "127.0.0.1"],
    // A server that a test freezes for half a minute is not dead.
    ["hbase.zookeeper.property.tickTime", 6_000],
    ["zookeeper.session.timeout.localHBaseCluster", 90_000],
    // Its end is not held up by looking again and again for its own ZooKeeper, which ends first.
    ["zookeeper.recovery.retry", 1],
    ["zookeeper.recovery.retry.intervalmill", 100],
    ...["master", "regionserver"].flatMap((part) => [
      [`hbase.${part}.hostname`, "127.0.0.1"] as const,
      [`hbase.${part}.ipc.address`, "127.0.0.1"] as const,
      [`hbase.${part}.port`, ports[part]] as const,
      [`hbase.${part}.info.port`, -1] as const,
      // Thirty by default, each with its own buffers.
      [`hbase.${part}.handler.count`, 10] as const,
    ]),
    // Only large regions are split, and those that a test wants split.
    ["hbase.master.normalizer.enabled", "false"],
  ];
  const properties = settings.map(
    ([name, value]) => `  <property><name>${name}</name><value>${value}</value></property>`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join("\n")}\n</configuration>\n`;
}
