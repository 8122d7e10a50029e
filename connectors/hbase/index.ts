// HBase as a sink, and offsets that other programs keep in it, to import them.
export { hbaseOffsets } from "./saved-offsets.ts";
export { type HBaseRowKey, type HBaseSinkOptions, hbaseSink } from "./sink.ts";
