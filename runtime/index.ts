// The package's public surface, `tidemark`: a closed list.

export type {
  CombinedJobDefinition,
  CommitMode,
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
export type { SavedPositions, SavedPositionsPlace } from "./contract/saved-positions.ts";
export type {
  Batch,
  BatchCommits,
  BatchWrite,
  CommitListener,
  EncodedRows,
  FunctionBatch,
  Guarantee,
  JointTransaction,
  LogTransactions,
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
  ShownPositions,
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
export { deadLetter, defineJob } from "./define-job.ts";
export {
  CheckpointCorruptError,
  CheckpointMissingError,
  ConfigError,
  DataLossError,
  type ErrorDetails,
  FencedError,
  messageOf,
  OutcomeUnknownError,
  PipelineError,
  PoisonRecordError,
  TidemarkError,
  TransientError,
} from "./errors.ts";
export type { EndReason, JobEvent, JobListener } from "./events.ts";
export type { BatchCounts } from "./journal/entry.ts";
export { type MapAsyncOptions, mapAsync } from "./map-async.ts";
export type { Plan, PlannedRange, PoisonRecord } from "./plan/plan.ts";
export { type CopyOptions, type CopyResult, copyCheckpoint } from "./programs/copy-checkpoint.ts";
export { doctor, type Finding } from "./programs/doctor.ts";
export { type BatchesOptions, type BatchRecord, batches } from "./programs/history.ts";
export {
  type ImportedPosition,
  type ImportOptions,
  type ImportResult,
  importCheckpoint,
} from "./programs/import-checkpoint.ts";
export { offsets, type PartitionOffsets } from "./programs/offsets.ts";
export type { ProgramOptions } from "./programs/program.ts";
export { type ReplayOptions, type ReplayResult, replayJob } from "./programs/replay-job.ts";
export {
  type PositionChange,
  type ResetOptions,
  type ResetResult,
  type ResetTarget,
  resetJob,
} from "./programs/reset-job.ts";
export { type RunOptions, type RunResult, runJob } from "./programs/run-job.ts";
export { PlainRowEncoder } from "./row-sink.ts";
export { bytes } from "./serde/bytes.ts";
export { asPlainRow, RecordDecoder, type RecordDecoderOptions, type RecordParts } from "./serde/decode.ts";
export { json } from "./serde/json.ts";
export type { JsonFields, JsonFieldType, ProjectedJson } from "./serde/json-fields.ts";
export { text } from "./serde/text.ts";
