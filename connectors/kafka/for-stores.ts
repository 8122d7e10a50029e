// What the checkpoint store shares with source and sink: the connection to a cluster, its log, and transactions. A
// closed list.
export { abortable, pause } from "./abortable.ts";
export { KafkaClient } from "./client.ts";
export {
  addressOf,
  type CompactedTopic,
  compactCommand,
  ensureCompactedTopic,
  ONLY_PARTITION,
  topicProblem,
  topicSettings,
} from "./compacted-topic.ts";
export { codecs } from "./compress.ts";
export {
  checkConnectionOptions,
  formatBroker,
  type KafkaConnectionOptions,
} from "./connection-options.ts";
export { parseConnectionUrl } from "./connection-url.ts";
export { checkGroupIsOwn, hasOtherLineage, ownMark } from "./group-ownership.ts";
export { JointRecords } from "./joint-records.ts";
export { patiently } from "./patience.ts";
export { parseMark } from "./position-mark.ts";
export { answersOf, produceApi } from "./produce-request.ts";
export { refusedBatch, SINK_FENCED } from "./producer-errors.ts";
export { OUT_OF_RANGE, type RawLogRecord, type RawLogVisitor, rawLogEnd, readRawLog } from "./raw-log.ts";
export { plainStamp, RecordBatchWriter } from "./record-batch-writer.ts";
export { RecordBytes } from "./record-bytes.ts";
export { addHeaders, addKey, addValue, isTopicName } from "./row-fields.ts";
export { type ProducerTurn, SharedProducer } from "./shared-producer.ts";
export { isTransactionEnding } from "./transaction-requests.ts";
export type { PendingBatch, TransactionalProducer } from "./transactional-producer.ts";
