// Hadoop's own command-line tools (`hdfs dfs …`, `hdfs dfsadmin …`) as functions: the independent witness of what
// Tidemark left in HDFS. They are in the same jars as the servers, and run as the superuser.
import { fileURLToPath } from "node:url";
import { javaDefaults, javaInstallHint, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import { serversRoot } from "../repository.ts";
import { lastLines, runProgram } from "../run-program.ts";
import type { HdfsAddresses } from "./server.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));

const mainClasses = {
  dfs: "org.apache.hadoop.fs.FsShell",
  dfsadmin: "org.apache.hadoop.hdfs.tools.DFSAdmin",
  haadmin: "org.apache.hadoop.hdfs.tools.DFSHAAdmin",
} as const;

/**
 * Runs `hdfs TOOL ARGS` to its end (a second or two: it is a Java program) and gives what it printed.
 * @throws Error it failed; with the end of what it printed
 */
export async function runHdfsTool(
  tool: keyof typeof mainClasses,
  args: readonly string[],
  {
    server,
    signal,
  }: { readonly server: Pick<HdfsAddresses, "configuration" | "superuser">; readonly signal: AbortSignal },
): Promise<string> {
  await requireJava(signal);
  const jars = await jarsOf(pom, serversRoot, (line) => process.stderr.write(`${line}\n`), signal);
  const speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"];
  const java = [...javaDefaults, ...speed, "-cp", `${server.configuration}:${jars}`, mainClasses[tool]];
  const env = { ...process.env, HADOOP_USER_NAME: server.superuser };
  const { exitCode, stdout, stderr } = await runProgram("java", [...java, ...args], {
    installHint: javaInstallHint,
    signal,
    env,
  });
  if (exitCode === 0) return stdout;
  throw new Error(`hdfs ${tool} ${args.join(" ")} failed (${exitCode}):\n${lastLines(stderr + stdout, 20)}`);
}

/** `hdfs dfs -count`: the folders (the path itself, too) and files below a path, and the files' bytes. */
export async function hdfsCount(
  server: HdfsAddresses,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly folders: number; readonly files: number; readonly bytes: number }> {
  const printed = await runHdfsTool("dfs", ["-count", path], { server, signal });
  const [, folders, files, bytes] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s/m.exec(printed) ?? [];
  return { folders: Number(folders), files: Number(files), bytes: Number(bytes) };
}
