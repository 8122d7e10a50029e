// HDFS as a sink.
export { type HdfsCsvSinkOptions, type HdfsNdjsonSinkOptions, hdfsSink } from "./sink.ts";
