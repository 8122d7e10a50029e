// The Produce request with record batches that are framed already: the Kafka library would encode them message by
// message. Version 9 is known to every broker since Kafka 2.4; version 12, of the same bytes, asks the broker to add
// partitions to the transaction by itself (KIP-890).
import { type API, createAPI, produceV9, produceV11, Writer } from "./library.ts";

const PRODUCE = 0;
const ALL_REPLICAS = -1;

/** A framed record batch, and where it goes. */
export interface FramedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
}

/** One request: at most one batch for each partition. */
export interface ProduceRequest {
  /** null: for batches that are in no transaction. */
  readonly transactionalId: string | null;
  /** For the replicas to have it. */
  readonly timeoutMs: number;
  readonly batches: readonly FramedBatch[];
}

/** What a broker answered for one partition. */
export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** The broker's own words, if it has some. */
  readonly errorMessage: string | undefined;
}

type ProduceApi = API<[ProduceRequest], Parameters<typeof answersOf>[0]>;

/** Produce, for transactions whose partitions were added before. */
export const produceApi: ProduceApi = createAPI(PRODUCE, 9, createRequest, produceV9.parseResponse);

/** Produce, adding partitions to the transaction. */
export const produceAndAddApi: ProduceApi = createAPI(PRODUCE, 12, createRequest, produceV11.parseResponse);

/** The answers for all partitions of a request. */
export function answersOf(response: Pick<produceV9.ProduceResponse, "responses">): ProduceAnswer[] {
  return response.responses.flatMap(({ name, partitionResponses }) =>
    partitionResponses.map(({ index, errorCode, errorMessage, recordErrors }) => {
      const words = errorMessage ?? recordErrors[0]?.batchIndexErrorMessage ?? undefined;
      return { topic: name, partition: index, errorCode, errorMessage: words };
    }),
  );
}

function createRequest({ transactionalId, timeoutMs, batches }: ProduceRequest): Writer {
  const topics = new Map<string, FramedBatch[]>();
  for (const batch of batches) {
    const of = topics.get(batch.topic) ?? [];
    of.push(batch);
    topics.set(batch.topic, of);
  }
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(ALL_REPLICAS)
    .appendInt32(timeoutMs)
    .appendArray([...topics], (writer, [topic, of]) => {
      writer.appendString(topic).appendArray(of, (each, { partition, bytes }) => {
        each
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes);
      });
    })
    .appendTaggedFields();
}
