// The Fetch request for some partitions of one leader, with an answer that keeps the batches as they came: the Kafka
// library would decode them record by record. Version 13 names topics by id, so that a topic which was created anew
// cannot be taken for the old one (KIP-516); Kafka 3.1 and later know it.

import type { AbortedTransaction } from "./aborted-transactions.ts";
import { BrokerError } from "./kafka-errors.ts";
import { createAPI, fetchV13, type Reader } from "./library.ts";

const FETCH = 1;
const DEFAULT_MAX_WAIT_MS = 500;
const MAX_INT32 = 2 ** 31 - 1;
const NO_SESSION = [0, -1] as const;

export interface FetchPartition {
  readonly topicId: string;
  readonly partition: number;
  /** As known from metadata; a broker that knows better says so. */
  readonly leaderEpoch: number;
  readonly fromOffset: bigint;
  /** At least one whole batch comes, even if it is larger (KIP-74). */
  readonly maxBytes: number;
  readonly readCommitted: boolean;
}

/** What a broker answered for a partition; of no topic where it refused the whole request. */
export interface FetchAnswer {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** The end of what may be read uncommitted. */
  readonly highWatermark: bigint;
  /** The end of what may be read committed; brokers tell it whatever the isolation. */
  readonly lastStableOffset: bigint;
  readonly aborted: readonly AbortedTransaction[];
  readonly bytes: Buffer;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * The request's fields, in the library's order. All partitions are read with the same isolation.
 * @param maxWaitMs how long the broker may wait while there is nothing at all
 */
export function fetchArguments(
  all: readonly FetchPartition[],
  maxWaitMs = DEFAULT_MAX_WAIT_MS,
): Parameters<typeof fetchV13.createRequest> {
  const topics = [...Map.groupBy(all, ({ topicId }) => topicId)].map(([topicId, of]) => {
    const partitions = of.map(({ partition, leaderEpoch, fromOffset, maxBytes }) => ({
      partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: fromOffset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytes,
    }));
    return { topicId, partitions };
  });
  const [sessionId, sessionEpoch] = NO_SESSION;
  const maxBytes = all.reduce((sum, of) => sum + of.maxBytes, 0);
  const isolation = all[0]?.readCommitted === true ? 1 : 0;
  return [maxWaitMs, 1, Math.min(maxBytes, MAX_INT32), isolation, sessionId, sessionEpoch, topics, [], ""];
}

/** Fetch, version 13. */
export const fetchApi = createAPI<Parameters<typeof fetchV13.createRequest>, readonly FetchAnswer[]>(
  FETCH,
  13,
  fetchV13.createRequest,
  (_correlationId, _apiKey, _apiVersion, reader) => readAnswer(reader),
);

function readAnswer(reader: Reader): readonly FetchAnswer[] {
  // Throttle time; error code; session id.
  reader.readInt32();
  const errorCode = reader.readInt16();
  reader.readInt32();
  if (errorCode !== BrokerError.none) {
    const ends = { highWatermark: -1n, lastStableOffset: -1n };
    return [{ topicId: "", partition: -1, errorCode, ...ends, aborted: [], bytes: NO_BYTES }];
  }
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

function readPartition(reader: Reader, topicId: string): FetchAnswer {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  const highWatermark = reader.readInt64();
  const lastStableOffset = reader.readInt64();
  // Log start offset.
  reader.readInt64();
  const aborted = reader.readNullableArray(() => {
    return { producerId: reader.readInt64(), firstOffset: reader.readInt64() };
  });
  // Preferred read replica.
  reader.readInt32();
  const length = reader.readUnsignedVarInt() - 1;
  const bytes = length > 0 ? reader.buffer.slice(reader.position, reader.position + length) : NO_BYTES;
  reader.skip(Math.max(0, length));
  reader.readTaggedFields();
  return { topicId, partition, errorCode, highWatermark, lastStableOffset, aborted: aborted ?? [], bytes };
}
