// Postgres as a sink.
export { type PostgresSinkOptions, postgresSink } from "./sink.ts";
