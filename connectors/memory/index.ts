// Memory as a source and as a sink: for tests and for programs that embed the runtime.
export { type MemoryBatch, type MemorySink, memorySink } from "./sink.ts";
export { type MemorySource, type MemorySourceOptions, memorySource } from "./source.ts";
