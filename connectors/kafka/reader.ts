// The open Kafka source. It knows the partitions and their bounds by asking the brokers each time; reads fixed ranges;
// and tells logs apart by their ids. It joins no consumer group and changes nothing, but for the group that mirrors the
// job's positions.
import {
  DataLossError,
  type Deserializer,
  type OffsetRange,
  type PartitionBounds,
  type Position,
  partitionKey,
  type RawRecord,
  type ReadOptions,
  type RecordChunk,
  RecordDecoder,
  type ShownPositions,
  type SourceReader,
  type SourceRecord,
  type TopicPartition,
} from "../../runtime/index.ts";
import { BoundsLook } from "./bounds-look.ts";
import { KafkaClient } from "./client.ts";
import type { KafkaConnectionOptions } from "./connection-options.ts";
import { Fetcher, type IdentifiedPartition } from "./fetcher.ts";
import { GroupMirror } from "./group-mirror.ts";
import { KeptFetches } from "./kept-fetches.ts";
import { LongPolls } from "./long-polls.ts";
import { formatMark, parseMark } from "./position-mark.ts";
import { RangeReader } from "./range-reader.ts";
import { RawTarget } from "./raw-target.ts";
import { TopicChoice } from "./topic-choice.ts";
import type { TopicSpec } from "./topic-spec.ts";

export interface KafkaReaderOptions<V, K> {
  readonly jobName: string;
  readonly warn: (message: string) => void;
  readonly connection: KafkaConnectionOptions;
  readonly topics: TopicSpec;
  readonly value: Deserializer<V>;
  readonly key: Deserializer<K> | undefined;
  readonly tombstones: boolean;
  readonly readCommitted: boolean;
  readonly fetchMaxBytes: number;
  readonly maxBufferedBytes: number;
  readonly mirrorOffsetsToGroup: boolean;
  readonly adoptGroup: boolean;
}

type Chunk<V, K> = RecordChunk<SourceRecord<V, K | null>>;

/** Reads the partitions of some topics of one cluster. */
export class KafkaReader<V, K> implements SourceReader<SourceRecord<V, K | null>> {
  private readonly options: KafkaReaderOptions<V, K>;
  private readonly client: KafkaClient;
  private readonly topics: TopicChoice;
  private readonly bounds: BoundsLook;
  private readonly longPolls: LongPolls;
  private readonly fetcher: Fetcher;
  private readonly kept: KeptFetches;
  private readonly ranges: RangeReader;
  private readonly mirror: GroupMirror | undefined;
  private readonly closing = new AbortController();

  private constructor(options: KafkaReaderOptions<V, K>, client: KafkaClient) {
    const { readCommitted, fetchMaxBytes, jobName, warn, adoptGroup } = options;
    this.options = options;
    this.client = client;
    this.topics = new TopicChoice(client, options.topics);
    this.bounds = new BoundsLook({ client, topics: this.topics, readCommitted });
    this.longPolls = new LongPolls({ client, readCommitted });
    this.fetcher = new Fetcher({ client, readCommitted, fetchMaxBytes });
    this.kept = new KeptFetches(options.maxBufferedBytes);
    this.ranges = new RangeReader({
      fetcher: this.fetcher,
      kept: this.kept,
      fetchMaxBytes,
      closing: this.closing.signal,
    });
    if (options.mirrorOffsetsToGroup)
      this.mirror = new GroupMirror({ client, groupId: jobName, adopt: adoptGroup, warn });
  }

  /**
   * Connects and looks for the topics.
   * @throws ConfigError an option is wrong, or a topic is not there
   * @throws TransientError no broker can be reached
   */
  static async open<V, K>(options: KafkaReaderOptions<V, K>, signal: AbortSignal): Promise<KafkaReader<V, K>> {
    const client = await KafkaClient.open(options.connection, options.jobName, signal);
    const reader = new KafkaReader(options, client);
    try {
      await reader.topics.look(signal);
      return reader;
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw error;
    }
  }

  async partitions(signal: AbortSignal): Promise<readonly PartitionBounds[]> {
    const bounds = await this.bounds.look(signal);
    this.kept.partitionCount = bounds.length;
    return bounds;
  }

  async waitForMore(ends: readonly Position[], signal: AbortSignal): Promise<void> {
    await this.longPolls.wait(ends, signal);
  }

  async offsetsAtTime(timestampMs: number, signal: AbortSignal): Promise<readonly Position[]> {
    const partitions = await this.bounds.partitions(signal);
    const [found, ends] = await Promise.all([
      this.bounds.offsetsOf(partitions, { timestampMs }, signal),
      this.bounds.offsetsOf(partitions, "latest", signal),
    ]);
    return partitions.map(({ topic, partition }) => {
      const key = partitionKey({ topic, partition });
      const offset = found.get(key)?.offset ?? -1n;
      return { topic, partition, offset: offset >= 0n ? offset : (ends.get(key)?.offset ?? 0n) };
    });
  }

  async mark(positions: readonly Position[], signal: AbortSignal): Promise<readonly Position[]> {
    signal.throwIfAborted();
    const { clusterId } = this.client.cluster;
    return positions.map(({ topic, partition, offset }) => {
      const { topicId } = this.identify({ topic, partition, fromOffset: 0n, untilOffset: offset });
      const leaderEpoch = this.bounds.epochAtEnd({ topic, partition });
      return { topic, partition, offset, mark: formatMark({ clusterId, topicId, leaderEpoch }) };
    });
  }

  async mismatches(
    positions: readonly Position[],
    signal: AbortSignal,
  ): Promise<readonly { position: Position; reason: string }[]> {
    await this.topics.look(signal);
    const found: { position: Position; reason: string }[] = [];
    const same: (Position & { readonly leaderEpoch: number })[] = [];
    for (const position of positions) {
      if (position.mark === undefined) continue;
      const reason = this.otherLog(position, position.mark);
      if (reason !== undefined) found.push({ position, reason });
      const leaderEpoch = parseMark(position.mark)?.leaderEpoch ?? -1;
      if (reason === undefined && leaderEpoch >= 0) same.push({ ...position, leaderEpoch });
    }
    const ends = new Map((await this.client.endOfEpochs(same, signal)).map((end) => [partitionKey(end), end.offset]));
    for (const position of positions) {
      const end = ends.get(partitionKey(position)) ?? -1n;
      if (end >= 0n && end < position.offset) {
        found.push({ position, reason: `the log was cut at ${end} when another broker took it over` });
      }
    }
    return found;
  }

  async *read(range: OffsetRange, { signal, skip }: ReadOptions): AsyncGenerator<Chunk<V, K>> {
    if (range.fromOffset >= range.untilOffset) return;
    const partition = this.identify(range);
    const { value, key, tombstones } = this.options;
    const decoder = new RecordDecoder<V, K>({ ...partition, value, key, tombstones, skip });
    for await (const _ of this.ranges.read(partition, range, decoder, signal)) yield await decoder.take();
  }

  async readRaw(at: TopicPartition & { readonly offset: bigint }, signal: AbortSignal): Promise<RawRecord | undefined> {
    const topicId = this.topics.idOf(at.topic);
    if (topicId === undefined || this.client.cluster.partition(at) === undefined || at.offset < 0n) return undefined;
    // One byte: the one batch that the record is in.
    const fetched = await this.fetcher.tryFetch({ ...at, topicId }, at.offset, signal, 1);
    const target = new RawTarget(at);
    fetched?.records.decode(target, Number(at.offset) + 1, { records: 1, bytes: 1 });
    return target.record;
  }

  /** Shows the positions in the job's consumer group. Never fails because of Kafka: it warns, once. */
  async completed(
    positions: readonly Position[],
    { lineageId }: { readonly lineageId: string },
    signal: AbortSignal,
  ): Promise<void> {
    await this.mirror?.write(positions, lineageId, signal);
  }

  /** Whose positions the job's consumer group shows. @throws TransientError */
  async shown(signal: AbortSignal): Promise<ShownPositions | undefined> {
    return await this.mirror?.shown(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    await this.client[Symbol.asyncDispose]();
  }

  /** The partition of a range, by the id that its topic had when it was first seen. */
  private identify(range: OffsetRange): IdentifiedPartition {
    const { topic, partition } = range;
    const topicId = this.topics.idOf(topic);
    if (topicId !== undefined) return { topic, partition, topicId };
    throw new DataLossError(`"${topic}" is none of the topics that this source reads`, [range], {
      hint: "add it to topics, or move the job: runtime reset job.ts --to-earliest",
    });
  }

  /** Why a position is not of the log that is there now; undefined when it is. */
  private otherLog({ topic, partition }: Position, mark: string): string | undefined {
    const then = parseMark(mark);
    const now = this.client.cluster.topic(topic);
    if (then === undefined) return "its mark is not one of the Kafka source";
    if (then.clusterId !== this.client.cluster.clusterId) return "it is of another Kafka cluster";
    if (now?.partitions[partition] === undefined) return "the partition is gone";
    return then.topicId === now.topicId ? undefined : "the topic was deleted and created again";
  }
}
