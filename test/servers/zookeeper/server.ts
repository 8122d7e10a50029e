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
    const { folder, ports, root } = place;
    const port = ports["client"] ?? 0;
    const jars = await jarsOf(pom, root, say, signal);
    await mkdir(join(folder, "data"), { recursive: true });
    await mkdir(join(folder, "tmp"), { recursive: true });
    const configuration = join(folder, "zoo.cfg");
    await writeFile(configuration, settings(place), { mode: 0o600 });
    const args = [
      ...javaDefaults,
      ...heap,
      `-Djava.io.tmpdir=${join(folder, "tmp")}`,
      `-Dlogback.configurationFile=${logging}`,
      "-cp",
      jars,
      "org.apache.zookeeper.server.quorum.QuorumPeerMain",
      configuration,
    ];
    const isReady = async (asked: AbortSignal) => /^Mode: /m.test(await fourLetterWord(port, "srvr", asked));
    return {
      processes: [{ name: "zookeeper", file: "java", args, cwd: folder, stopSignal: "SIGTERM", isReady }],
      addresses: { servers: `127.0.0.1:${port}` },
    };
  },
};

/** The text of zoo.cfg. */
function settings({ folder, ports }: Place): string {
  return `${[
    `dataDir=${join(folder, "data")}`,
    `clientPort=${ports["client"]}`,
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
