// HDFS as a sink, and a folder of it to read a Spark checkpoint from.
export { hdfsFolder } from "./checkpoint-folder.ts";
export { type HdfsCsvSinkOptions, type HdfsNdjsonSinkOptions, hdfsSink } from "./sink.ts";
