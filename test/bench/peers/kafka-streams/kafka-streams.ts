// Kafka Streams with two threads in one process.
import { fileURLToPath } from "node:url";
import type { Contestant } from "../../workloads/contestant.ts";
import { javaProgram } from "../java-program.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const source = fileURLToPath(new URL("StreamsPeer.java", import.meta.url));

/** Kafka Streams on `workload`: w1, w2 or w4. */
export function kafkaStreams(workload: "w1" | "w2" | "w4", what: string): Contestant {
  return {
    name: "kafka-streams",
    label: `Kafka Streams 4.3, 2 threads${what}`,
    side: "peer",
    async prepare(tools) {
      const java = await javaProgram({ pom, source }, tools);
      return ({ brokers, topic, output, name, folder, records }) => ({
        file: "java",
        args: ["-Xmx4g", ...java, workload, brokers, topic, output, name, folder, `${records}`],
      });
    },
  };
}
