// HBase 0.94's own client in Java, driven by a script a call: what the old protocol's driver cannot do (making tables),
// and the independent witness of what Tidemark wrote.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { javaDefaults, javaInstallHint } from "../java.ts";
import { mustRun } from "../run-program.ts";
import type { Hbase094Addresses } from "./server.ts";

const PREAMBLE = `
System.setProperty("java.version", "1.8.0");
System.setProperty("java.specification.version", "1.8");
import org.apache.hadoop.hbase.*;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.util.Bytes;
conf = HBaseConfiguration.create();
`;

/**
 * Runs a BeanShell script with `conf` and HBase's classes at hand, to its end (a second or two).
 * @returns what it printed
 */
export async function runBsh(server: Hbase094Addresses, script: string, signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-bsh-"));
  try {
    const file = join(folder, "script.bsh");
    const failed = "catch (Throwable t) { t.printStackTrace(); System.exit(1); }";
    await writeFile(file, `${PREAMBLE}try {\n${script}\n} ${failed}\nSystem.out.flush();\nSystem.exit(0);\n`);
    const speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"];
    const java = [...javaDefaults, ...speed, "-Dlog4j.threshold=OFF", "-cp", server.classPath, "bsh.Interpreter", file];
    return await mustRun("java", java, { installHint: javaInstallHint, signal });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
