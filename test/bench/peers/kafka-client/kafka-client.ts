// Kafka's own Java client by the tools that come with Kafka, as everybody measures a broker: the consumer for W0, and
// the transactional producer as the floor of W4.
import { fileURLToPath } from "node:url";
import { javaDefaults, requireJava } from "../../../servers/java.ts";
import { jarsOf } from "../../../servers/maven.ts";
import type { Contestant, RunReport, Tools } from "../../workloads/contestant.ts";
import type { Expected } from "../../workloads/expected.ts";

const pom = fileURLToPath(new URL("../../../servers/kafka-tools/pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("../../../servers/kafka-tools/log4j2.properties", import.meta.url));
const MIB = 2 ** 20;
/** Of a row of W4 as JSON, about. */
const ROW_BYTES = 45;

async function toolsJava(tools: Tools): Promise<string[]> {
  await requireJava(tools.signal);
  const jars = await jarsOf(pom, tools.root, tools.say, tools.signal);
  return [...javaDefaults, "-Xmx1g", `-Dlog4j2.configurationFile=${logging}`, "-cp", jars];
}

/** `kafka-consumer-perf-test`, for W0. */
export const consumerPerf: Contestant = {
  name: "java-consumer",
  label: "Java consumer (perf-test 4.3)",
  side: "peer",
  async prepare(tools) {
    const java = await toolsJava(tools);
    const main = "org.apache.kafka.tools.ConsumerPerformance";
    return ({ brokers, topic, records, name }) => {
      const args = ["--bootstrap-server", brokers, "--topic", topic, "--num-records", `${records}`];
      return { file: "java", args: [...java, main, ...args, "--group", name, "--timeout", "60000"] };
    };
  },
  read: (stdout, { expected }) => readConsumerPerf(stdout, expected),
};

/** What the tool's line of figures says: start and end, MiB of keys and values, records, and how long it fetched. */
export function readConsumerPerf(stdout: string, { bytes, keyBytes }: Pick<Expected, "bytes" | "keyBytes">): RunReport {
  const line = stdout.split("\n").findLast((text) => /^\d{4}-/.test(text)) ?? "";
  const [start = "", end = "", mib = "", , records = "", , , fetchMs = ""] = line.split(", ");
  // 2026-11-25 01:02:03:004
  const atMs = (text: string) => new Date(text.replace(/:(\d{3})$/, ".$1")).getTime();
  const doneAtMs = atMs(end);
  const told = Number(mib) * MIB - keyBytes;
  const wanted = bytes["bytes"] ?? 0;
  // MiB are told with four digits after the point.
  const isAsExpected = Math.abs(told - wanted) <= MIB / 10_000;
  const digest = { records: Number(records), bytes: isAsExpected ? wanted : Math.round(told) };
  return { startedAtMs: atMs(start), firstRecordAtMs: doneAtMs - Number(fetchMs), doneAtMs, digest };
}

/** `kafka-producer-perf-test` in transactions of a second: as many rows of the same size as W4 writes, no input. */
export const producerPerf: Contestant = {
  name: "java-producer",
  label: "Java producer in transactions (perf-test 4.3)",
  side: "floor",
  checked: ["rows"],
  async prepare(tools) {
    const java = await toolsJava(tools);
    const main = "org.apache.kafka.tools.ProducerPerformance";
    return ({ brokers, output, expected, name }) => {
      const rows = [
        "--num-records",
        `${expected.large["rows"]}`,
        "--record-size",
        `${ROW_BYTES}`,
        "--throughput",
        "-1",
      ];
      const transactions = ["--transactional-id", name, "--transaction-duration-ms", "1000"];
      const producer = [`bootstrap.servers=${brokers}`, "linger.ms=20", "batch.size=262144"];
      const args = ["--topic", output, ...rows, ...transactions, "--command-property", ...producer];
      return { file: "java", args: [...java, main, ...args] };
    };
  },
  read: readProducerPerf,
};

/** The tool's last line says how many records were sent in all, and how many a second. */
function readProducerPerf(stdout: string): RunReport {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  const [rows = Number.NaN, perSecond = Number.NaN] = (/^(\d+) records sent, ([\d.]+) records\/sec/.exec(line) ?? [])
    .slice(1)
    .map(Number);
  return { workMs: (rows / perSecond) * 1000, digest: { rows } };
}
