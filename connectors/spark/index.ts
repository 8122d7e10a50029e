// Spark Structured Streaming: its checkpoints, to import a query's positions from.
export type { CheckpointFolder } from "./checkpoint-folder.ts";
export { type SparkCheckpointOptions, sparkCheckpoint } from "./saved-positions.ts";
