// Kafka to Kafka: the late flights of one topic into another, exactly once for whoever reads with read_committed.
import { filter, map } from "rxjs";
import { defineJob, json } from "tidemark";
import { kafkaSink, kafkaSource } from "tidemark/connectors/kafka";
import { clockTime, lateMinutes, type NumberedFlight } from "./flight.ts";
import { brokers } from "./servers.ts";

export default defineJob({
  name: "late-flights-to-kafka",
  source: kafkaSource({ brokers, topics: ["flights"], value: json<NumberedFlight>(), startingOffsets: "earliest" }),
  pipeline: (records$) =>
    records$.pipe(
      map((record) => record.value),
      filter((flight) => flight.delay >= lateMinutes),
      map(({ id, time, delay }) => ({ id, departure: clockTime(time), delayMinutes: delay })),
    ),
  sink: kafkaSink({ brokers, topic: "late-flights", key: "id", compression: "lz4" }),
  trigger: { intervalMs: 500 },
  maxOffsetsPerBatch: 100_000,
});
