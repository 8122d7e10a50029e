// ZooKeeper's own shell, zkCli, one command a call: the independent witness of what Tidemark wrote.
import { fileURLToPath } from "node:url";
import { javaDefaults, javaInstallHint, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import { serversRoot } from "../repository.ts";
import { mustRun } from "../run-program.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("quiet.xml", import.meta.url));

/**
 * Runs `zkCli.sh -server SERVERS COMMAND` to its end (a second: it is a Java program).
 * @returns the lines that it printed
 * @throws ConfigError Java or Maven is missing
 * @throws Error it failed; with the end of what it printed
 */
export async function runZkCli(servers: string, command: readonly string[], signal: AbortSignal): Promise<string[]> {
  await requireJava(signal);
  const jars = await jarsOf(pom, serversRoot, (line) => process.stderr.write(`${line}\n`), signal);
  const speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"];
  const java = [...javaDefaults, ...speed, `-Dlogback.configurationFile=${logging}`, "-cp", jars];
  const args = [...java, "org.apache.zookeeper.ZooKeeperMain", "-server", servers, ...command];
  const printed = await mustRun("java", args, { installHint: javaInstallHint, signal });
  return printed.split("\n").filter((line) => line !== "" && !/^(Connecting to |WATCHER::|WatchedEvent )/.test(line));
}
