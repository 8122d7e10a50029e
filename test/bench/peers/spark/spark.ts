// Spark Structured Streaming by pyspark, with two threads in one process.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { requireJava } from "../../../servers/java.ts";
import { jarsOf } from "../../../servers/maven.ts";
import type { Contestant, Tools } from "../../workloads/contestant.ts";
import type { LatencyContestant } from "../../workloads/latency.ts";
import { pythonWithSpark } from "./python-environment.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const program = fileURLToPath(new URL("spark_peer.py", import.meta.url));
const latencyProgram = fileURLToPath(new URL("spark_latency.py", import.meta.url));

/** Spark on `workload`: w1 to w4. */
export function spark(workload: "w1" | "w2" | "w3" | "w4", what: string): Contestant {
  return {
    name: "spark",
    label: `Spark 4.2, local[2]${what}`,
    side: "peer",
    // Its sink for Kafka has no transactions.
    atLeastOnce: workload === "w4",
    async prepare(tools) {
      const { python, jars } = await installed(tools);
      return ({ brokers, topic, output, name, folder, batch, database }) => ({
        file: python,
        args: [program, workload, brokers, topic, output, name, folder, `${batch}`, database, jars],
      });
    },
  };
}

/** Spark in W5: a batch begins as soon as the one before is done. */
export const sparkLatency: LatencyContestant = {
  name: "spark",
  label: "Spark 4.2, local[2]",
  readyLine: "ready",
  async prepare(tools) {
    const { python, jars } = await installed(tools);
    return ({ brokers, output, folder }, records, secondsAtMost) => ({
      file: python,
      args: [latencyProgram, brokers, output, `${records}`, `${secondsAtMost}`, folder, jars],
    });
  },
};

async function installed(tools: Tools): Promise<{ python: string; jars: string }> {
  await requireJava(tools.signal);
  const python = await pythonWithSpark(tools);
  return { python, jars: dirname(await jarsOf(pom, tools.root, tools.say, tools.signal)) };
}
