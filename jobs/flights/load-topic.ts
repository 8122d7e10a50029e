// Fills the topic `flights` from the flight log: a job like any other, so a killed load goes on where it was, and no
// flight is loaded twice. Each flight gets a number, which is its key.
import { map } from "rxjs";
import { defineJob, json } from "tidemark";
import { fileSource } from "tidemark/connectors/files";
import { kafkaSink } from "tidemark/connectors/kafka";
import type { Flight } from "./flight.ts";
import { brokers } from "./servers.ts";

export default defineJob({
  name: "load-flights",
  source: fileSource({ dir: "data/flights", value: json<Flight>() }),
  pipeline: (records$, task) =>
    records$.pipe(map(({ value, offset }) => ({ ...value, id: Number(offset) * 4 + task.partition }))),
  sink: kafkaSink({ brokers, topic: "flights", key: "id", compression: "lz4" }),
  trigger: "available-now",
  maxOffsetsPerBatch: 50_000,
});
