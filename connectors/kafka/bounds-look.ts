// Looks at where partitions begin and end, in one round trip to each broker: which partitions there are is asked at the
// same time as the bounds of those that were there last time; only what is new is asked for after that.
import { comparePartitions, type PartitionBounds, partitionKey, type TopicPartition } from "../../runtime/index.ts";
import type { FoundOffset } from "./ask-leaders.ts";
import type { KafkaClient, LogPlace } from "./client.ts";
import type { TopicChoice } from "./topic-choice.ts";

export interface BoundsLookOptions {
  readonly client: KafkaClient;
  readonly topics: TopicChoice;
  /** Ends are last stable offsets then. */
  readonly readCommitted: boolean;
}

/** Offsets by `partitionKey`. */
type Found = ReadonlyMap<string, FoundOffset>;

const NONE: Found = new Map();
const NO_BOUNDS = { starts: NONE, ends: NONE } as const;

/** The bounds of one open source's partitions. */
export class BoundsLook {
  private readonly options: BoundsLookOptions;
  /** As of the last look. */
  private known: readonly TopicPartition[] = [];
  private ends: Found = NONE;

  constructor(options: BoundsLookOptions) {
    this.options = options;
  }

  /**
   * The partitions there are now with their bounds, sorted.
   * @throws ConfigError, TransientError as `TopicChoice.look` and `KafkaClient.listOffsets`; the signal's reason
   */
  async look(signal: AbortSignal): Promise<readonly PartitionBounds[]> {
    const { known } = this;
    const [partitions, knownBounds] = await together(signal, async (both) => {
      const bounds = this.boundsOf(known, both);
      bounds.catch(() => {});
      const now = await this.partitions(both);
      // Nobody leads what is gone: its offsets would be asked for again and again.
      return hasTopicsOf(now, known) ? ([now, await bounds] as const) : ([now, NO_BOUNDS] as const);
    });
    const isNew = (partition: TopicPartition) => !knownBounds.ends.has(partitionKey(partition));
    const newBounds = await this.boundsOf(partitions.filter(isNew), signal);
    const starts = merged(knownBounds.starts, newBounds.starts);
    const ends = merged(knownBounds.ends, newBounds.ends);
    this.known = partitions;
    this.ends = ends;
    return partitions.map(({ topic, partition }) => {
      const key = partitionKey({ topic, partition });
      return { topic, partition, earliest: starts.get(key)?.offset ?? 0n, latest: ends.get(key)?.offset ?? 0n };
    });
  }

  /** The epoch of the leader that wrote the end of a partition, as of the last look; −1: not known. */
  epochAtEnd(partition: TopicPartition): number {
    return this.ends.get(partitionKey(partition))?.leaderEpoch ?? -1;
  }

  /** The partitions there are now, sorted. */
  async partitions(signal: AbortSignal): Promise<readonly TopicPartition[]> {
    const topics = await this.options.topics.look(signal);
    return topics
      .flatMap(({ topic, partitions }) => partitions.map(({ partition }) => ({ topic, partition })))
      .sort(comparePartitions);
  }

  /** The offsets of a place in these partitions. */
  async offsetsOf(partitions: readonly TopicPartition[], place: LogPlace, signal: AbortSignal): Promise<Found> {
    if (partitions.length === 0) return NONE;
    const { client, readCommitted } = this.options;
    const found = await client.listOffsets(partitions, { place, readCommitted, signal });
    return new Map(found.map((offset) => [partitionKey(offset), offset]));
  }

  private async boundsOf(partitions: readonly TopicPartition[], signal: AbortSignal) {
    const [starts, ends] = await together(signal, (both) =>
      Promise.all([this.offsetsOf(partitions, "earliest", both), this.offsetsOf(partitions, "latest", both)]),
    );
    return { starts, ends };
  }
}

/** Whether all topics of `known` are in `now`. */
function hasTopicsOf(now: readonly TopicPartition[], known: readonly TopicPartition[]): boolean {
  const topics = new Set(now.map(({ topic }) => topic));
  return known.every(({ topic }) => topics.has(topic));
}

function merged(some: Found, others: Found): Found {
  return others.size === 0 ? some : new Map([...some, ...others]);
}

/** Asks for several things at the same time; what is still under way at the end, or when one fails, is given up. */
async function together<T>(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const asking = new AbortController();
  const stop = () => asking.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await ask(asking.signal);
  } finally {
    signal.removeEventListener("abort", stop);
    asking.abort();
  }
}
