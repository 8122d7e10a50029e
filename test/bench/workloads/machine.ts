// What figures must be told together with: the machine, and the versions of what ran on it.
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { javaInstallHint } from "../../servers/java.ts";
import { runProgram } from "../../servers/run-program.ts";

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** This machine, its Node and Java. */
export async function thisMachine(signal: AbortSignal): Promise<Machine> {
  const { stdout, stderr } = await runProgram("java", ["-version"], { installHint: javaInstallHint, signal });
  const [, java = "unknown"] = /version "([^"]+)"/.exec(stderr + stdout) ?? [];
  return {
    cpu: cpus()[0]?.model.replaceAll(/\s+/g, " ").trim() ?? "unknown",
    cpus: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split("-")[0]}`,
    versions: { Node: process.versions.node, Java: java, Kafka: brokerVersion() },
  };
}

function brokerVersion(): string {
  const pom = readFileSync(new URL("../../servers/kafka/pom.xml", import.meta.url), "utf8");
  return /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(pom)?.[1] ?? "unknown";
}
