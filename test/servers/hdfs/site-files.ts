// What NameNode and DataNode read from their class path: settings as Hadoop's XML, and the web applications that the
// jars lack (empty ones do). Everything listens on 127.0.0.1 and gives that as its name, so that redirects work.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Place } from "../server-kind.ts";

const emptyWebApplication =
  '<?xml version="1.0" encoding="UTF-8"?>\n<web-app xmlns="http://java.sun.com/xml/ns/javaee" version="2.4"/>\n';

const logging = `log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d %p %c{2}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.logger.org.apache.hadoop.security=WARN
`;

export type Settings = Readonly<Record<string, string | number>>;

/** Writes `files` (by name: "hdfs-site.xml") and what goes with them into `folder`, which belongs on the class path. */
export async function writeSiteFiles(folder: string, files: Readonly<Record<string, Settings>>): Promise<void> {
  for (const name of ["hdfs", "datanode", "static"]) {
    const webInf = join(folder, "webapps", name, "WEB-INF");
    await mkdir(webInf, { recursive: true });
    await writeFile(join(webInf, "web.xml"), emptyWebApplication);
  }
  await writeFile(join(folder, "log4j.properties"), logging);
  for (const [name, settings] of Object.entries(files)) {
    await writeFile(join(folder, name), xmlOf(settings), { mode: 0o600 });
  }
}

/** core-site.xml. `nameSystem`: where Hadoop's own tools go, `127.0.0.1:PORT` or a name service. */
export function coreSite({ folder }: Place, nameSystem: string): Settings {
  return {
    "fs.defaultFS": `hdfs://${nameSystem}`,
    "hadoop.tmp.dir": join(folder, "data"),
    // Where the temporary folder is open to everybody, the DataNode's short circuit would not be.
    "dfs.client.read.shortcircuit": "false",
  };
}

/** What hdfs-site.xml says of every HDFS here: one DataNode, which is known to be alive or not within seconds. */
export function hdfsSite({ folder, ports }: Place): Settings {
  return {
    "dfs.replication": 1,
    "dfs.datanode.data.dir": `file://${join(folder, "data", "blocks")}`,
    "dfs.datanode.hostname": "127.0.0.1",
    "dfs.datanode.address": `127.0.0.1:${ports["datanode"]}`,
    "dfs.datanode.http.address": `127.0.0.1:${ports["datanode-http"]}`,
    "dfs.datanode.ipc.address": `127.0.0.1:${ports["datanode-ipc"]}`,
    "dfs.namenode.datanode.registration.ip-hostname-check": "false",
    "dfs.heartbeat.interval": 1,
    "dfs.namenode.heartbeat.recheck-interval": 1000,
    "dfs.namenode.stale.datanode.interval": 5000,
    "dfs.namenode.safemode.extension": 0,
    // Asks soon whether a block is there, and for long: on a busy machine the DataNode tells late.
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 5,
    "dfs.client.block.write.locateFollowingBlock.retries": 11,
    "dfs.client.block.write.replace-datanode-on-failure.enable": "false",
    "dfs.namenode.fs-limits.min-block-size": 1024,
    "dfs.namenode.handler.count": 8,
    "dfs.datanode.handler.count": 4,
  };
}

/** ssl-server.xml. `keyStore`: PKCS #12. */
export function tlsSettings(keyStore: string, { password }: Place): Settings {
  return {
    "ssl.server.keystore.location": keyStore,
    "ssl.server.keystore.type": "PKCS12",
    "ssl.server.keystore.password": password,
    "ssl.server.keystore.keypassword": password,
  };
}

function xmlOf(settings: Settings): string {
  const properties = Object.entries(settings).map(
    ([name, value]) => `  <property><name>${name}</name><value>${escaped(`${value}`)}</value></property>`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join("\n")}\n</configuration>\n`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
