// What is in an output topic, by Kafka's own consumer (TopicWitness.java), committed records only.
import { fileURLToPath } from "node:url";
import { mustRun } from "../../../servers/run-program.ts";
import { readResultLine, type Tools } from "../../workloads/contestant.ts";
import type { Digest } from "../../workloads/expected.ts";
import { javaProgram } from "../java-program.ts";

const pom = fileURLToPath(new URL("../../../servers/kafka/pom.xml", import.meta.url));
const source = fileURLToPath(new URL("TopicWitness.java", import.meta.url));

/** Counts the rows of `topic` and adds up their fields. */
export async function digestOfTopic(brokers: string, topic: string, tools: Tools): Promise<Digest> {
  const java = await javaProgram({ pom, source }, tools);
  const options = { installHint: "apt-get install default-jdk-headless", signal: tools.signal };
  const { digest = {} } = readResultLine(await mustRun("java", ["-Xmx512m", ...java, brokers, topic], options));
  return digest;
}
