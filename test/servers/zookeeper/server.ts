// ZooKeeper, as one server that is a quorum of its own. Sessions may be as short as tests want them.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { javaDefaults, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";
import { fourLetterWord } from "./four-letter-word.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("logback.xml", import.meta.url));
const heap = ["-Xms32m", "-Xmx192m", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC"];

/** What a client needs to connect. */
export interface ZooKeeperAddresses {
  /** `127.0.0.1:PORT`. */
  readonly servers: string;
}

export const zookeeper: ServerKind<ZooKeeperAddresses> = {
  name: "zookeeper",
  ports: ["client"],
  environment: ({ servers }) => ({ ZOOKEEPER_SERVERS: servers }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<ZooKeeperAddresses>> {
    await requireJava(signal);
    const { folder, ports } = place;
    const port = ports["client"] ?? 0;
    const java = await zookeeperJava(place, say, signal);
    const data = join(folder, "data");
    await mkdir(data, { recursive: true });
    const configuration = join(folder, "zoo.cfg");
    await writeFile(configuration, `${zookeeperSettings(data)}clientPort=${port}\n`, { mode: 0o600 });
    const args = [...java, configuration];
    const isReady = async (asked: AbortSignal) => /^Mode: /m.test(await fourLetterWord(port, "srvr", asked));
    return {
      processes: [{ name: "zookeeper", file: "java", args, cwd: folder, stopSignal: "SIGTERM", isReady }],
      addresses: { servers: `127.0.0.1:${port}` },
    };
  },
};

/** The arguments of java before the configuration file; makes the folder for temporary files. */
export async function zookeeperJava({ folder, root }: Place, say: Say, signal: AbortSignal): Promise<string[]> {
  const jars = await jarsOf(pom, root, say, signal);
  const temporary = join(folder, "tmp");
  await mkdir(temporary, { recursive: true });
  const properties = [`-Djava.io.tmpdir=${temporary}`, `-Dlogback.configurationFile=${logging}`];
  return [...javaDefaults, ...heap, ...properties, "-cp", jars, "org.apache.zookeeper.server.quorum.QuorumPeerMain"];
}

/** What zoo.cfg says of every server, but for its ports. */
export function zookeeperSettings(data: string): string {
  return `${[
    `dataDir=${data}`,
    "clientPortAddress=127.0.0.1",
    "tickTime=1000",
    "minSessionTimeout=500",
    "maxSessionTimeout=60000",
    // Tests open sessions by the hundred, all from one address.
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=ruok,srvr,cons,dump",
    "autopurge.purgeInterval=1",
    "autopurge.snapRetainCount=3",
  ].join("\n")}\n`;
}
