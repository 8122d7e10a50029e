// Readers of the output that share nothing with Tidemark: psql for tables, Kafka's own console consumer for topics.
import { join } from "node:path";
import { BrokerTopics, message } from "../kafka/broker-topics.ts";
import { runKafkaTool } from "../servers/kafka/run-kafka-tool.ts";
import { mustRun } from "../servers/run-program.ts";
import { type FoundRow, PARTITIONS } from "./kafka-rows.ts";

const READ_WITHIN_MS = 120_000;
/** For one more record of a topic that is not there. */
const RECORD_WITHIN_MS = 20_000;
const END = "end";

/** The rows of a table in the order of its column `position`. */
export async function rowsInTable(bin: string, url: string, table: string): Promise<FoundRow[]> {
  const copy = `copy (select id, partition, seq from ${table} order by position) to stdout`;
  const options = { signal: AbortSignal.timeout(READ_WITHIN_MS), installHint: "apt-get install postgresql" };
  const lines = await mustRun(join(bin, "psql"), ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", copy, url], options);
  return linesOf(lines).map((line) => {
    const [id, partition, seq] = line.split("\t").map(Number);
    return { id: id ?? -1, partition: partition ?? -1, seq: seq ?? -1 };
  });
}

/**
 * Reads one topic, to its end each time: its last records are put there by the reader itself, who thus need not wait.
 */
export class TopicRows {
  readonly #bootstrap: string;
  readonly #topic: string;
  #ends = 0;

  constructor(bootstrap: string, topic: string) {
    this.#bootstrap = bootstrap;
    this.#topic = topic;
  }

  /**
   * The committed rows of the topic, the first `expected` and one more for each partition at least; fewer when it has
   * not so many, or when a transaction stays open before its end.
   */
  async read(expected: number): Promise<FoundRow[]> {
    await using topics = new BrokerTopics(this.#bootstrap);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await topics.produce(this.#topic, [message(partition, END)]);
      this.#ends++;
    }
    const { stdout } = await runKafkaTool(
      "console-consumer",
      [
        ...["--bootstrap-server", this.#bootstrap, "--topic", this.#topic, "--from-beginning"],
        ...["--isolation-level", "read_committed", "--formatter-property", "print.partition=true"],
        ...["--max-messages", `${expected + this.#ends}`, "--timeout-ms", `${RECORD_WITHIN_MS}`],
      ],
      { signal: AbortSignal.timeout(READ_WITHIN_MS) },
    );
    return linesOf(stdout).flatMap((line) => {
      const [where = "", value = ""] = line.split("\t");
      if (value === END) return [];
      const { id, seq } = JSON.parse(value) as FoundRow;
      return [{ id, partition: Number(where.slice("Partition:".length)), seq }];
    });
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
