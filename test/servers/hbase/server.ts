// HBase 2.x with its own ZooKeeper in one process. Its data are made at the first start; ports may change from start
// to start.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { javaDefaults, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";
import { hbaseSite } from "./hbase-site.ts";
import { isHbaseReady } from "./is-hbase-ready.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("log4j.properties", import.meta.url));
const heap = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"];
/** What Hadoop and HBase reach into since Java 9. */
const opened = [
  "java.lang",
  "java.lang.reflect",
  "java.io",
  "java.net",
  "java.nio",
  "java.util",
  "java.util.concurrent",
]
  .concat(["java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.net.dns", "sun.security.action"])
  .flatMap((name) => ["--add-opens", `java.base/${name}=ALL-UNNAMED`]);

/** What a client needs to connect, and what HBase's own client in Java needs. */
export interface HbaseAddresses {
  /** "127.0.0.1:PORT", under the parent /hbase. */
  readonly zookeeper: string;
  /** Of the one region server, on 127.0.0.1. */
  readonly regionServerPort: number;
  /** The class path of the server's and the client's jars. */
  readonly jars: string;
  /** The folder of hbase-site.xml. */
  readonly configuration: string;
}

export const hbase: ServerKind<HbaseAddresses> = {
  name: "hbase",
  ports: ["zookeeper", "master", "regionserver"],
  environment: ({ zookeeper }) => ({ HBASE_ZOOKEEPER: zookeeper }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<HbaseAddresses>> {
    await requireJava(signal);
    const { folder, ports, root } = place;
    const jars = await jarsOf(pom, root, say, signal);
    const configuration = join(folder, "conf");
    const temporary = join(folder, "tmp");
    for (const each of [configuration, temporary, join(folder, "data")]) await mkdir(each, { recursive: true });
    await writeFile(join(configuration, "hbase-site.xml"), hbaseSite(place), { mode: 0o600 });
    const args = [
      ...javaDefaults,
      ...heap,
      ...opened,
      `-Djava.io.tmpdir=${temporary}`,
      `-Dlog4j.configuration=file:${logging}`,
      "-cp",
      `${configuration}:${jars}`,
      "org.apache.hadoop.hbase.master.HMaster",
      "start",
    ];
    const isReady = (asked: AbortSignal) => isHbaseReady(ports["master"] ?? 0, asked);
    return {
      processes: [{ name: "hbase", file: "java", args, cwd: folder, stopSignal: "SIGTERM", isReady }],
      addresses: {
        zookeeper: `127.0.0.1:${ports["zookeeper"]}`,
        regionServerPort: ports["regionserver"] ?? 0,
        jars,
        configuration,
      },
    };
  },
};
