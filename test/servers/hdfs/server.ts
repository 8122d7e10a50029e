// HDFS, as one NameNode and one DataNode of their own main classes, with WebHDFS in plain text and over TLS. It is
// formatted once; ports may change from start to start, the data stay.
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { javaDefaults, javaInstallHint, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import { mustRun } from "../run-program.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";
import { canWrite, hasDataNode, isServing, makeHome } from "./ask-name-node.ts";
import { coreSite, hdfsSite, type Settings, tlsSettings, writeSiteFiles } from "./site-files.ts";

export const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const heap = ["-Xms32m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"];
/** Its web services make classes as they go, in a way that Java 17 must be told to allow. */
const opened = ["--add-opens", "java.base/java.lang=ALL-UNNAMED"];
export const user = "tidemark";
export const nameNode = "org.apache.hadoop.hdfs.server.namenode.NameNode";
export const dataNode = "org.apache.hadoop.hdfs.server.datanode.DataNode";

/** What a client needs to connect. All URLs are for a user without special rights, in a folder of its own. */
export interface HdfsAddresses {
  /** `webhdfs://127.0.0.1:PORT/tidemark?user.name=tidemark` */
  readonly url: string;
  /** The same over TLS, with the certificate of `ca`. */
  readonly tlsUrl: string;
  /** The NameNode's HTTP, for what a test wants to know in its own way: `http://127.0.0.1:PORT`. */
  readonly http: string;
  /** For Hadoop's own tools: `hdfs://127.0.0.1:PORT`. */
  readonly rpc: string;
  /** Who may do anything. */
  readonly superuser: string;
  readonly ca: string;
  /** An authority that did not sign the servers' certificate. */
  readonly strangerCa: string;
  /** Holds the configuration that Hadoop's own tools read. */
  readonly configuration: string;
}

export const hdfs: ServerKind<HdfsAddresses> = {
  name: "hdfs",
  ports: ["http", "https", "rpc", "datanode", "datanode-http", "datanode-https", "datanode-ipc"],
  environment: ({ url }) => ({ WEBHDFS_URL: url }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<HdfsAddresses>> {
    await requireJava(signal);
    const { folder } = place;
    const jars = await jarsOf(pom, place.root, say, signal);
    const [configuration, temporary, data] = ["conf", "tmp", "data"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const made of [configuration, temporary, data]) await mkdir(made, { recursive: true });
    await writeSiteFiles(configuration, {
      "core-site.xml": coreSite(place, `127.0.0.1:${place.ports["rpc"]}`),
      "hdfs-site.xml": { ...hdfsSite(place), ...ownSettings(place) },
      "ssl-server.xml": tlsSettings(await keyStoreOf(place, signal), place),
    });
    const java = hadoopJava(`${configuration}:${jars}`, temporary);
    if (!existsSync(join(data, "name", "current", "VERSION"))) {
      const args = [...java, nameNode, "-format", "-force", "-nonInteractive"];
      await mustRun("java", args, { cwd: folder, installHint: javaInstallHint, signal });
    }
    const port = place.ports["http"] ?? 0;
    const common = { file: "java", cwd: folder, stopSignal: "SIGTERM" } as const;
    const isReady = async (asked: AbortSignal) => {
      const at = { port, signal: asked };
      return (await hasDataNode(at)) && (await canWrite(at)) && (await makeHome(at, user, user));
    };
    return {
      processes: [
        {
          ...common,
          name: "namenode",
          args: [...java, nameNode],
          isReady: (asked) => isServing({ port, signal: asked }),
        },
        { ...common, name: "datanode", args: [...java, dataNode], isReady },
      ],
      addresses: addressesOf(place, configuration),
    };
  },
};

/** The arguments of java before a main class of Hadoop. */
export function hadoopJava(classPath: string, temporary: string): string[] {
  return [...javaDefaults, ...heap, ...opened, `-Djava.io.tmpdir=${temporary}`, "-cp", classPath];
}

function ownSettings({ folder, ports }: Place): Settings {
  return {
    "dfs.namenode.name.dir": `file://${join(folder, "data", "name")}`,
    "dfs.http.policy": "HTTP_AND_HTTPS",
    "dfs.namenode.rpc-address": `127.0.0.1:${ports["rpc"]}`,
    "dfs.namenode.http-address": `127.0.0.1:${ports["http"]}`,
    "dfs.namenode.https-address": `127.0.0.1:${ports["https"]}`,
    "dfs.datanode.https.address": `127.0.0.1:${ports["datanode-https"]}`,
  };
}

/** Key and certificate as Java wants them. */
async function keyStoreOf({ folder, password, certificates }: Place, signal: AbortSignal): Promise<string> {
  const path = join(folder, "server.p12");
  if (existsSync(path)) return path;
  const from = ["-inkey", certificates.serverKey, "-in", certificates.serverCert];
  const args = ["pkcs12", "-export", ...from, "-name", "server", "-out", path, "-passout", `pass:${password}`];
  await mustRun("openssl", args, { cwd: folder, installHint: "apt-get install openssl", signal });
  return path;
}

function addressesOf({ ports, certificates }: Place, configuration: string): HdfsAddresses {
  const at = (name: string) => `127.0.0.1:${ports[name]}`;
  const place = `${user}?user.name=${user}`;
  return {
    url: `webhdfs://${at("http")}/${place}`,
    tlsUrl: `swebhdfs://${at("https")}/${place}&ca=${encodeURIComponent(certificates.ca)}`,
    http: `http://${at("http")}`,
    rpc: `hdfs://${at("rpc")}`,
    superuser: userInfo().username,
    ca: certificates.ca,
    strangerCa: certificates.strangerCa,
    configuration,
  };
}
