// A Fetch that is not for the records but for the news that there are some: the broker keeps it until something can be
// read beyond the given ends, or for a time. As little as possible is asked for, and what comes is skipped.
import { createAPI, fetchV13, type Reader } from "@platformatic/kafka";
import { BrokerError } from "./kafka-errors.ts";

const FETCH = 1;
const NO_SESSION = [0, -1] as const;
const LEAST_BYTES = 1;

/** A partition of one topic, and the end beyond which there may be news. */
export interface WatchedEnd {
  readonly topicId: string;
  readonly partition: number;
  /** As known from metadata; a broker that knows better says so. */
  readonly leaderEpoch: number;
  readonly offset: bigint;
}

export interface LongPollRequest {
  readonly ends: readonly WatchedEnd[];
  /** Ends are last stable offsets then. */
  readonly readCommitted: boolean;
  readonly maxWaitMs: number;
}

/** What a broker says of a partition. */
export interface EndAnswer {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** The end of what may be read uncommitted. */
  readonly highWatermark: bigint;
  /** The end of what may be read committed: not beyond the first open transaction. */
  readonly lastStableOffset: bigint;
}

/** The request's fields, in the library's order. */
export function longPollArguments({
  ends,
  readCommitted,
  maxWaitMs,
}: LongPollRequest): Parameters<typeof fetchV13.createRequest> {
  const byTopic = new Map<string, Parameters<typeof fetchV13.createRequest>[6][number]["partitions"]>();
  for (const { topicId, partition, leaderEpoch: currentLeaderEpoch, offset: fetchOffset } of ends) {
    const partitions = byTopic.get(topicId) ?? [];
    partitions.push({
      partition,
      currentLeaderEpoch,
      fetchOffset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: LEAST_BYTES,
    });
    byTopic.set(topicId, partitions);
  }
  const topics = [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions }));
  const [sessionId, sessionEpoch] = NO_SESSION;
  return [maxWaitMs, 1, LEAST_BYTES, readCommitted ? 1 : 0, sessionId, sessionEpoch, topics, [], ""];
}

/** Fetch, version 13; `undefined`: the broker refuses the whole request. */
export const longPollApi = createAPI<Parameters<typeof fetchV13.createRequest>, readonly EndAnswer[] | undefined>(
  FETCH,
  13,
  fetchV13.createRequest,
  (_correlationId, _apiKey, _apiVersion, reader) => readAnswer(reader),
);

function readAnswer(reader: Reader): readonly EndAnswer[] | undefined {
  // Throttle time; error code; session id.
  reader.readInt32();
  const errorCode = reader.readInt16();
  reader.readInt32();
  if (errorCode !== BrokerError.none) return undefined;
  const topics = reader.readArray(
    () => {
      const topicId = reader.readUUID();
      return reader.readArray(() => readPartition(reader, topicId), true, false);
    },
    true,
    true,
  );
  return topics.flat();
}

function readPartition(reader: Reader, topicId: string): EndAnswer {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  const highWatermark = reader.readInt64();
  const lastStableOffset = reader.readInt64();
  // Log start offset; aborted transactions; preferred read replica.
  reader.readInt64();
  reader.readNullableArray(() => {
    reader.readInt64();
    reader.readInt64();
  });
  reader.readInt32();
  reader.skip(Math.max(0, reader.readUnsignedVarInt() - 1));
  reader.readTaggedFields();
  return { topicId, partition, errorCode, highWatermark, lastStableOffset };
}
