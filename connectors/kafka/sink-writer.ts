// An open Kafka sink: one transaction a batch, with the batch's marker in it. Opened in this order, which is the fence:
// register the producer, which shuts out older ones and ends what they have open; then read the newest marker, which
// nobody else can change any more. A batch without rows needs no transaction and leaves no marker. With the checkpoint
// in the same cluster, the log offers its producer, and a batch is written in the log's own transactions.
import {
  type Batch,
  type BatchWrite,
  ConfigError,
  type EncodedRows,
  type JointTransaction,
  type SinkContext,
  type SinkWriter,
  TransientError,
} from "../../runtime/index.ts";
import { type BatchMarker, decodeMarker, encodeMarker, isWritten, markerKey } from "./batch-marker.ts";
import { KafkaClient } from "./client.ts";
import { type Codec, codecs } from "./compress.ts";
import type { KafkaConnectionOptions } from "./connection-options.ts";
import { JointRecords } from "./joint-records.ts";
import { ensureMarkerTopic, MARKER_PARTITION } from "./marker-topic.ts";
import { newestWithKey } from "./newest-marker.ts";
import { SINK_FENCED } from "./producer-errors.ts";
import { RecordBatchWriter } from "./record-batch-writer.ts";
import { RecordBytes } from "./record-bytes.ts";
import type { EncodedRecords } from "./row-encoder.ts";
import { addHeaders, addKey, addValue } from "./row-fields.ts";
import { type ProducerTurn, SharedProducer } from "./shared-producer.ts";
import { TopicBatches } from "./topic-batches.ts";
import { TopicPartitions } from "./topic-partitions.ts";
import type { PendingBatch } from "./transactional-producer.ts";

/** Waiting in memory for their record batches to be full, over all partitions; then they are sent as they are. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** For ending a transaction in good order when its batch is given up. */
const ABORT_WITHIN_MS = 10_000;

export interface KafkaWriterOptions {
  readonly connection: KafkaConnectionOptions;
  /** Looked for when the sink is opened; undefined when rows name theirs. */
  readonly topic: string | undefined;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly produceTimeoutMs: number;
  readonly markerTopic: string;
  readonly codec: Codec;
  readonly recordBatchMaxBytes: number;
  readonly brokersMayAddPartitions: boolean;
}

/** Sinks that are open in this process: two of one job with one transactional id would shut each other out for ever. */
const openSinks = new Set<string>();

/** Writes batches to Kafka. */
export class KafkaSinkWriter implements SinkWriter {
  private readonly options: KafkaWriterOptions;
  private readonly identity: string;
  private readonly opened: Opened;

  private constructor(options: KafkaWriterOptions, identity: string, opened: Opened) {
    this.options = options;
    this.identity = identity;
    this.opened = opened;
  }

  /**
   * Connects, shuts out older writers, and finds out what they have written.
   * @throws ConfigError an option is wrong, or something is missing or not allowed
   * @throws TransientError Kafka cannot be reached, or a newer epoch has been here
   */
  static async open(options: KafkaWriterOptions, context: SinkContext, signal: AbortSignal): Promise<KafkaSinkWriter> {
    const { jobName, lineageId, epoch } = context;
    const identity = `${options.transactionalId} ${lineageId} ${epoch}`;
    if (openSinks.has(identity)) throw sameIdentity(options.transactionalId);
    openSinks.add(identity);
    let client: KafkaClient | undefined;
    try {
      client = await KafkaClient.open(options.connection, jobName, signal);
      const opened = await takeOver(client, options, context, signal);
      return new KafkaSinkWriter(options, identity, opened);
    } catch (error) {
      openSinks.delete(identity);
      await client?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  async begin(batch: Batch): Promise<BatchWrite | "already-written"> {
    const { opened } = this;
    batch.signal.throwIfAborted();
    opened.producer.throwIfFailed();
    if (!batch.isUnplanned && isWritten(opened.newest, batch)) return "already-written";
    await opened.topics.refresh(batch.signal);
    return new KafkaBatchWrite(this.options, opened, batch);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    openSinks.delete(this.identity);
    await this.opened.client[Symbol.asyncDispose]();
  }
}

interface Opened {
  readonly client: KafkaClient;
  readonly topics: TopicPartitions;
  /** The sink's own, or the log's. */
  readonly producer: SharedProducer;
  readonly isJoint: boolean;
  readonly epoch: bigint;
  /** The newest batch that was committed. */
  newest: BatchMarker | undefined;
}

async function takeOver(
  client: KafkaClient,
  options: KafkaWriterOptions,
  { lineageId, epoch, logTransactions }: SinkContext,
  signal: AbortSignal,
): Promise<Opened> {
  const { topic, transactionalId, markerTopic, connection } = options;
  const log = logTransactions instanceof SharedProducer ? logTransactions : undefined;
  const { transactionTimeoutMs, produceTimeoutMs, brokersMayAddPartitions } = options;
  const canJoin =
    log?.isReachedBy(connection, client.cluster.clusterId) === true && log.transactionTimeoutMs >= transactionTimeoutMs;
  // Whoever writes must know where topics have their leaders.
  const topics = new TopicPartitions(canJoin ? log.client : client);
  if (topic !== undefined) await topics.countOf(topic, signal);
  for (const each of canJoin ? [client, log.client] : [client]) await ensureMarkerTopic(each, markerTopic, signal);
  // Also when it joins: an older writer may not have.
  const own = await SharedProducer.open(
    { client, connection, transactionalId, transactionTimeoutMs, produceTimeoutMs, brokersMayAddPartitions },
    signal,
  );
  const at = { topic: markerTopic, partition: MARKER_PARTITION };
  const found = await newestWithKey(client, at, markerKey(transactionalId, lineageId), signal);
  const newest = found && decodeMarker(found, `of ${transactionalId} in "${markerTopic}"`);
  if (newest !== undefined && newest.epoch > epoch) {
    throw new TransientError(`a newer run has written to Kafka as ${transactionalId}`, { code: SINK_FENCED });
  }
  return { client, topics, producer: canJoin ? log : own, isJoint: canJoin, epoch, newest };
}

/** One batch, which is one transaction from its first row on. */
class KafkaBatchWrite implements BatchWrite {
  private readonly options: KafkaWriterOptions;
  private readonly opened: Opened;
  private readonly batch: Batch;
  private readonly waiting = new Map<string, TopicBatches>();
  /** From the first record that is sent on. */
  private turn: ProducerTurn | undefined;
  /** What became of the transaction is up to somebody else, or has been decided. */
  private isDecided = false;
  private hasRows = false;
  private isDisposed = false;
  readonly transaction?: JointTransaction;

  constructor(options: KafkaWriterOptions, opened: Opened, batch: Batch) {
    this.options = options;
    this.opened = opened;
    this.batch = batch;
    const { isJoint, producer } = opened;
    if (isJoint) this.transaction = new JointRecords(producer, (signal) => this.seal(signal));
  }

  async write(rows: EncodedRows): Promise<void> {
    this.batch.signal.throwIfAborted();
    this.hasRows = true;
    let waitingBytes = 0;
    for (const records of rows.data as readonly EncodedRecords[]) {
      const batches = await this.batchesOf(records.topic);
      await this.sendEach(batches.add(records));
    }
    for (const { sizeBytes } of this.waiting.values()) waitingBytes += sizeBytes;
    if (waitingBytes > MAX_WAITING_BYTES) await this.send(this.rest());
  }

  async commit(): Promise<void> {
    if (this.hasRows) {
      await this.sendLast();
      this.isDecided = true;
      await this.turn?.producer.commit(this.batch.signal);
      if (!this.batch.isUnplanned) this.opened.newest = this.marker;
    }
    this.isDecided = true;
    this.turn?.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    this.waiting.clear();
    if (!this.isDecided) {
      this.isDecided = true;
      // What goes wrong here the producer remembers: it takes no other batch.
      await this.turn?.producer.abort(AbortSignal.timeout(ABORT_WITHIN_MS)).catch(() => undefined);
    }
    this.turn?.release();
  }

  /** Hands the transaction over, with everything in it. */
  private async seal(signal: AbortSignal): Promise<ProducerTurn> {
    if (this.isDecided) throw new Error(`the rows of batch ${this.batch.batchId} were handed over before`);
    const turn = await this.takeTurn(signal);
    if (this.hasRows) await this.sendLast();
    this.isDecided = true;
    this.turn = undefined;
    return turn;
  }

  private async sendLast(): Promise<void> {
    const marker = this.batch.isUnplanned ? [] : [this.markerRecord()];
    await this.send([...this.rest(), ...marker]);
  }

  private async send(batches: readonly PendingBatch[]): Promise<void> {
    const { producer } = await this.takeTurn(this.batch.signal);
    await producer.send(batches, this.batch.signal);
  }

  private async takeTurn(signal: AbortSignal): Promise<ProducerTurn> {
    if (!this.isDisposed) this.turn ??= await this.opened.producer.turn(signal);
    if (!this.isDisposed && this.turn !== undefined) return this.turn;
    // Nobody disposes of it again who gave the batch up while it waited for its turn.
    this.turn?.release();
    throw new Error(`batch ${this.batch.batchId} was given up`);
  }

  private async batchesOf(topic: string): Promise<TopicBatches> {
    const known = this.waiting.get(topic);
    if (known !== undefined) return known;
    const { codec, recordBatchMaxBytes, markerTopic } = this.options;
    if (topic === markerTopic) {
      throw new ConfigError(`rows cannot go to "${topic}", which says what has been written`, {
        hint: "write to another topic, or set markerTopic",
      });
    }
    const { batchId, signal } = this.batch;
    const partitionCount = await this.opened.topics.countOf(topic, signal);
    const batches = new TopicBatches({ topic, partitionCount, batchId, codec, recordBatchMaxBytes });
    this.waiting.set(topic, batches);
    return batches;
  }

  /** One by one: there may be several of one partition. */
  private async sendEach(batches: readonly PendingBatch[]): Promise<void> {
    for (const batch of batches) await this.send([batch]);
  }

  private rest(): PendingBatch[] {
    return [...this.waiting.values()].flatMap((batches) => batches.rest());
  }

  private get marker(): BatchMarker {
    const { lineageId, batchId, planHash } = this.batch;
    return { lineageId, batchId, planHash, epoch: this.opened.epoch };
  }

  private markerRecord(): PendingBatch {
    const { markerTopic: topic, transactionalId } = this.options;
    const body = new RecordBytes(512);
    addKey(body, markerKey(transactionalId, this.batch.lineageId));
    addValue(body, encodeMarker(this.marker));
    addHeaders(body, undefined);
    const records = new RecordBatchWriter();
    records.append(body.bytes, 0, body.length);
    return { topic, partition: MARKER_PARTITION, records, codec: codecs.none };
  }
}

function sameIdentity(transactionalId: string): ConfigError {
  return new ConfigError(`two Kafka sinks of this job have the same transactionalId, "${transactionalId}"`, {
    code: "KAFKA_TRANSACTIONAL_ID",
    hint: 'give one of them its own: kafkaSink({ transactionalId: "…", … })',
  });
}
