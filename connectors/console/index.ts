// The console as a sink.
export { type ConsoleSinkOptions, consoleSink } from "./sink.ts";
