// HBase 0.94: master, region server and ZooKeeper in one process on 127.0.0.1. It is there for its protocol, which
// other clusters of that age speak; what it does to keep data safe is not what they do.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { javaDefaults, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("log4j.properties", import.meta.url));
const launch = fileURLToPath(new URL("launch.bsh", import.meta.url));
const name = "hbase094";
const READY = "Master has completed initialization";
const heap = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"];

/** What a client needs to connect, and what HBase's own client in Java needs. */
export interface Hbase094Addresses {
  /** "127.0.0.1:PORT", under the parent /hbase. */
  readonly zookeeper: string;
  /** The class path of the server's and the client's jars, with the folder of hbase-site.xml. */
  readonly classPath: string;
}

export const hbase094: ServerKind<Hbase094Addresses> = {
  name,
  // Its master and region server choose theirs at each start.
  ports: ["zookeeper"],
  environment: ({ zookeeper }) => ({ HBASE094_ZOOKEEPER: zookeeper }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<Hbase094Addresses>> {
    await requireJava(signal);
    const { folder, ports, root } = place;
    const jars = await jarsOf(pom, root, say, signal);
    const configuration = join(folder, "conf");
    const temporary = join(folder, "tmp");
    for (const each of [configuration, temporary, join(folder, "data")]) await mkdir(each, { recursive: true });
    await writeFile(join(configuration, "hbase-site.xml"), hbaseSite(place), { mode: 0o600 });
    const classPath = `${configuration}:${jars}`;
    const args = [
      ...javaDefaults,
      ...heap,
      `-Djava.io.tmpdir=${temporary}`,
      `-Dlog4j.configuration=file:${logging}`,
      "-cp",
      classPath,
      "bsh.Interpreter",
      launch,
    ];
    // Its protocol is nothing to speak by hand; it says when it has come up.
    const isReady = async () => (await readFile(join(folder, `${name}.log`), "utf8")).includes(READY);
    return {
      processes: [{ name, file: "java", args, cwd: folder, stopSignal: "SIGTERM", isReady }],
      addresses: { zookeeper: `127.0.0.1:${ports["zookeeper"]}`, classPath },
    };
  },
};

/** The text of hbase-site.xml. */
function hbaseSite({ folder, ports }: Place): string {
  const data = join(folder, "data");
  const settings: readonly (readonly [name: string, value: string | number | undefined])[] = [
    ["hbase.cluster.distributed", "true"],
    ["hbase.rootdir", `file://${join(data, "hbase")}`],
    ["hbase.tmp.dir", join(folder, "tmp")],
    ["hbase.zookeeper.quorum", "127.0.0.1"],
    ["hbase.zookeeper.property.dataDir", join(data, "zookeeper")],
    ["hbase.zookeeper.property.clientPort", ports["zookeeper"]],
    ["hbase.zookeeper.property.clientPortAddress", "127.0.0.1"],
    ["hbase.zookeeper.property.tickTime", 2_000],
    // A restart waits until the sessions of before have ended: three minutes by default.
    ["zookeeper.session.timeout", 10_000],
    ...["master", "regionserver"].flatMap((part) => [
      [`hbase.${part}.ipc.address`, "127.0.0.1"] as const,
      [`hbase.${part}.info.bindAddress`, "127.0.0.1"] as const,
      [`hbase.${part}.info.port`, -1] as const,
    ]),
    // Ten by default, of each kind.
    ["hbase.regionserver.handler.count", 6],
    ["hbase.regionserver.metahandler.count", 4],
    // It waits for more region servers: 4.5 s by default.
    ["hbase.master.wait.on.regionservers.timeout", 500],
    ["hbase.master.wait.on.regionservers.interval", 250],
  ];
  const properties = settings.map(
    ([key, value]) => `  <property><name>${key}</name><value>${value}</value></property>`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join("\n")}\n</configuration>\n`;
}
