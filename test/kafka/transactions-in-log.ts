// Which transactions the records of a partition are in, as Kafka's own tool reads them from the broker's disk.
import { join } from "node:path";
import { inject } from "vitest";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";

const FIRST_SEGMENT = "00000000000000000000.log";

/**
 * One text for each transaction that has records in the partition's first segment, in the log's order; on the run's own
 * broker. From Kafka 4 on each transaction of a producer has an epoch of its own.
 */
export async function transactionsInLog(topic: string, partition: number, signal: AbortSignal): Promise<string[]> {
  const file = join(inject("serversOfRun"), "kafka", "data", `${topic}-${partition}`, FIRST_SEGMENT);
  const { stdout } = await runKafkaTool("dump-log", ["--files", file], { signal });
  const found = new Set<string>();
  for (const line of stdout.split("\n")) {
    const [, producer] =
      /producerId: (\d+ producerEpoch: \d+) .*isTransactional: true isControl: false/.exec(line) ?? [];
    if (producer !== undefined) found.add(producer);
  }
  return [...found];
}
