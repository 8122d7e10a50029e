// Kafka's own command-line tools (kafka-console-consumer, kafka-consumer-groups …) as functions: the independent
// witness of what Tidemark wrote. They come from Maven Central by a pom of their own, for their version is not the
// broker's.
import { fileURLToPath } from "node:url";
import { javaDefaults, javaInstallHint, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import { serversRoot } from "../repository.ts";
import { lastLines, type ProgramResult, runProgram } from "../run-program.ts";

const pom = fileURLToPath(new URL("../kafka-tools/pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("../kafka-tools/log4j2.properties", import.meta.url));

/** By the name that follows `kafka-` in the script that people know. */
const mainClasses = {
  "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
  "console-producer": "org.apache.kafka.tools.ConsoleProducer",
  "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
  "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
  "dump-log": "org.apache.kafka.tools.DumpLogSegments",
  "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
  "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
  "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
  topics: "org.apache.kafka.tools.TopicCommand",
  transactions: "org.apache.kafka.tools.TransactionsCommand",
} as const;

export type KafkaTool = keyof typeof mainClasses;

export interface KafkaToolOptions {
  readonly signal: AbortSignal;
  /** Written to its stdin. */
  readonly input?: string;
  readonly cwd?: string;
}

/**
 * Runs `kafka-TOOL ARGS` to its end (a second or two: it is a Java program). The console consumer ends by itself only
 * with `--max-messages` or `--timeout-ms`.
 * @throws ConfigError Java or Maven is missing
 * @throws Error it failed; with the end of what it printed
 */
export async function runKafkaTool(
  tool: KafkaTool,
  args: readonly string[],
  { signal, ...rest }: KafkaToolOptions,
): Promise<ProgramResult> {
  await requireJava(signal);
  const jars = await jarsOf(pom, serversRoot, (line) => process.stderr.write(`${line}\n`), signal);
  // Such a short life is not worth much compiling, nor many threads.
  const speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"];
  const java = [...javaDefaults, ...speed, `-Dlog4j2.configurationFile=${logging}`, "-cp", jars];
  const options = { installHint: javaInstallHint, signal, ...rest };
  const result = await runProgram("java", [...java, mainClasses[tool], ...args], options);
  if (result.exitCode === 0) return result;
  throw new Error(`kafka-${tool} failed (${result.exitCode}):\n${lastLines(result.stderr + result.stdout, 20)}`);
}
