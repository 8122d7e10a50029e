// Flink with two slots in one process.
import { fileURLToPath } from "node:url";
import type { Contestant } from "../../workloads/contestant.ts";
import { javaProgram } from "../java-program.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const source = fileURLToPath(new URL("FlinkPeer.java", import.meta.url));
/** Its serializers look into classes of Java's own. */
const opens = ["java.lang", "java.util", "java.time"].flatMap((name) => [
  "--add-opens",
  `java.base/${name}=ALL-UNNAMED`,
]);

/** Flink on `workload`: w1, w2 or w4. */
export function flink(workload: "w1" | "w2" | "w4", what: string): Contestant {
  return {
    name: "flink",
    label: `Flink 2.2, 2 slots${what}`,
    side: "peer",
    async prepare(tools) {
      const java = await javaProgram({ pom, source }, tools);
      return ({ brokers, topic, output, name, folder, batch }) => ({
        file: "java",
        args: ["-Xmx4g", ...opens, ...java, workload, brokers, topic, output, name, folder, `${batch}`],
      });
    },
  };
}
