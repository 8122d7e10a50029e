// Files as a source and as a sink.
export { type CsvSinkOptions, fileSink, type NdjsonSinkOptions } from "./sink.ts";
export { type FileSourceOptions, fileSource } from "./source.ts";
