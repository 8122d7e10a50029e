// The table `stream_kafka_offsets` as people keep it for Spark Streaming: a row `topic:group:epochMs` a batch, in it a
// cell a partition, whose value is the next offset in decimal, and nothing else; the newest is the first row of a scan
// backwards. A row is only ever added, under a time that is fixed with the entry, so that a writer that was overtaken
// cannot move offsets back: what it adds late is older than what is there.
import type { HBaseTable } from "../../connectors/hbase/client.ts";
import type { Position } from "../../runtime/index.ts";
import type { Shown } from "./job-row.ts";

/** The one family of the customary table. */
export const OFFSETS_FAMILY = "offsets";
/** What Kafka allows. Other names could be taken for another topic's group. */
const TOPIC = /^[a-zA-Z0-9._-]{1,249}$/;
const ROWS_AT_ONCE = 1_000;

/** The rows of one group. */
export class ShownOffsets {
  readonly #table: HBaseTable;
  readonly #group: string;

  constructor(table: HBaseTable, group: string) {
    this.#table = table;
    this.#group = group;
  }

  /** Shows positions. Idempotent. @throws TransientError | OutcomeUnknownError | ConfigError */
  async show({ atMs, positions }: Shown, signal: AbortSignal): Promise<void> {
    const changes = [...byTopic(positions)].map(([topic, ofTopic]) => ({
      row: Buffer.from(`${topic}:${this.#group}:${atMs}`),
      puts: ofTopic.map(({ partition, offset }) => ({
        family: OFFSETS_FAMILY,
        qualifier: `${partition}`,
        stampMs: atMs,
        value: Buffer.from(`${offset}`),
      })),
      removals: [],
    }));
    if (changes.length > 0) await this.#table.write(changes, signal);
  }

  /** Removes rows of times before `beforeMs`, of the topics that are shown. */
  async prune({ positions }: Shown, beforeMs: number, signal: AbortSignal): Promise<void> {
    for (const topic of byTopic(positions).keys()) {
      const prefix = `${topic}:${this.#group}:`;
      const range = { from: Buffer.from(prefix), until: Buffer.from(`${prefix}${beforeMs}`), family: OFFSETS_FAMILY };
      for (;;) {
        const old = await this.#table.scan({ ...range, limit: ROWS_AT_ONCE }, signal);
        const removals = [{ family: OFFSETS_FAMILY, stampMs: beforeMs }];
        await this.#table.write(
          old.map(({ row }) => ({ row, puts: [], removals })),
          signal,
        );
        if (old.length < ROWS_AT_ONCE) break;
      }
    }
  }
}

function byTopic(positions: readonly Position[]): Map<string, Position[]> {
  const topics = new Map<string, Position[]>();
  for (const position of positions) {
    if (!TOPIC.test(position.topic)) continue;
    const ofTopic = topics.get(position.topic) ?? [];
    ofTopic.push(position);
    topics.set(position.topic, ofTopic);
  }
  return topics;
}
