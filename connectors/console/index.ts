// The console as a sink.
export { type ConsoleSinkOptions, consoleSink, type OutputStream } from "./sink.ts";
