// Sorts one batch's encoded records of a topic into record batches, one under construction for each partition. It
// decides nothing about sending: full ones are handed back, in the order in which they became full.
import { ConfigError } from "../../runtime/index.ts";
import type { Codec } from "./compress.ts";
import { Placer } from "./placement.ts";
import { RecordBatchWriter } from "./record-batch-writer.ts";
import type { EncodedRecords } from "./row-encoder.ts";
import type { PendingBatch } from "./transactional-producer.ts";

export interface TopicBatchesOptions {
  readonly topic: string;
  readonly partitionCount: number;
  readonly batchId: number;
  readonly codec: Codec;
  /** Of one record batch, before compression; a single record may be larger. */
  readonly recordBatchMaxBytes: number;
}

/** The records of one topic that were not sent yet. */
export class TopicBatches {
  private readonly options: TopicBatchesOptions;
  private readonly placer: Placer;
  private readonly open = new Map<number, RecordBatchWriter>();

  constructor(options: TopicBatchesOptions) {
    this.options = options;
    this.placer = new Placer(options.partitionCount, options.batchId);
  }

  /** Bytes that are waiting. */
  get sizeBytes(): number {
    let size = 0;
    for (const { sizeBytes } of this.open.values()) size += sizeBytes;
    return size;
  }

  /**
   * Takes records over.
   * @returns record batches that are full
   * @throws ConfigError a row asks for a partition that there is not
   */
  add({ bodies, places }: EncodedRecords): PendingBatch[] {
    const { recordBatchMaxBytes, partitionCount } = this.options;
    const bytes = Buffer.from(bodies.buffer, bodies.byteOffset, bodies.byteLength);
    const full: PendingBatch[] = [];
    let start = 0;
    for (let at = 0; at < places.length; at += 2) {
      const end = start + (places[at + 1] as number);
      const partition = this.placer.partitionOf(places[at] as number);
      if (partition >= partitionCount) throw this.noSuchPartition(partition);
      let records = this.open.get(partition);
      if (records === undefined) {
        records = new RecordBatchWriter();
        this.open.set(partition, records);
      } else if (records.sizeWith(end - start) > recordBatchMaxBytes) {
        full.push(this.pending(partition, records));
        // Where one was full the next will be.
        records = new RecordBatchWriter(recordBatchMaxBytes);
        this.open.set(partition, records);
      }
      records.append(bytes, start, end);
      start = end;
    }
    return full;
  }

  /** All that is left, in order of partitions. */
  rest(): PendingBatch[] {
    const rest = [...this.open].map(([partition, records]) => this.pending(partition, records));
    this.open.clear();
    return rest.sort((a, b) => a.partition - b.partition);
  }

  private pending(partition: number, records: RecordBatchWriter): PendingBatch {
    const { topic, codec } = this.options;
    return { topic, partition, records, codec };
  }

  private noSuchPartition(partition: number): ConfigError {
    const { topic, partitionCount } = this.options;
    return new ConfigError(`a row asks for partition ${partition} of "${topic}", which has ${partitionCount}`, {
      code: "KAFKA_NO_PARTITION",
      hint: `kafka-topics --alter --topic ${topic} --partitions ${partition + 1}, or change what "partition" gives`,
    });
  }
}
