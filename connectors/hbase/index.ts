// HBase as a sink.
export { type HBaseRowKey, type HBaseSinkOptions, hbaseSink } from "./sink.ts";
