// The package's public surface, `tidemark`: a closed list.

export type {
  CombinedJobDefinition,
  DeadLetter,
  DeadLetterPolicy,
  Job,
  JobOptions,
  PlainJobDefinition,
  PoisonPolicy,
  SinkFunction,
  Task,
  Trigger,
} from "./contract/job.ts";
export {
  comparePartitions,
  formatRange,
  type OffsetRange,
  type PartitionBounds,
  type Position,
  partitionKey,
  type TopicPartition,
} from "./contract/positions.ts";
export type { DeserializeContext, Deserializer, Header, RawRecord, SourceRecord } from "./contract/record.ts";
export type {
  Batch,
  BatchWrite,
  EncodedRows,
  Guarantee,
  RowEncoder,
  Sink,
  SinkContext,
  SinkWriter,
} from "./contract/sink.ts";
export type {
  ExplicitOffsets,
  LostRange,
  OffsetSpec,
  OpenContext,
  ReadOptions,
  RecordChunk,
  Source,
  SourceReader,
} from "./contract/source.ts";
export type {
  Appended,
  CheckpointStore,
  Entry,
  Heartbeat,
  LogBounds,
  LogWriter,
  NumberedEntry,
} from "./contract/store.ts";
export {
  CheckpointCorruptError,
  CheckpointMissingError,
  ConfigError,
  DataLossError,
  type ErrorDetails,
  FencedError,
  OutcomeUnknownError,
  PipelineError,
  PoisonRecordError,
  TidemarkError,
  TransientError,
} from "./errors.ts";
