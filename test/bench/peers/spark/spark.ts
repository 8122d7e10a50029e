// Spark Structured Streaming by pyspark, with two threads in one process.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { requireJava } from "../../../servers/java.ts";
import { jarsOf } from "../../../servers/maven.ts";
import type { Contestant } from "../../workloads/contestant.ts";
import { pythonWithSpark } from "./python-environment.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const program = fileURLToPath(new URL("spark_peer.py", import.meta.url));

/** Spark on `workload`: w1 to w4. */
export function spark(workload: "w1" | "w2" | "w3" | "w4", what: string): Contestant {
  return {
    name: "spark",
    label: `Spark 4.2, local[2]${what}`,
    side: "peer",
    // Its sink for Kafka has no transactions.
    atLeastOnce: workload === "w4",
    async prepare(tools) {
      await requireJava(tools.signal);
      const python = await pythonWithSpark(tools);
      const jars = dirname(await jarsOf(pom, tools.root, tools.say, tools.signal));
      return ({ brokers, topic, output, name, folder, batch, database }) => ({
        file: python,
        args: [program, workload, brokers, topic, output, name, folder, `${batch}`, database, jars],
      });
    },
  };
}
