// Kafka to Postgres: the late flights of a topic into a table, exactly once. The checkpoint is in the same database,
// so the rows of a batch and the record that it is complete are one transaction.
import { filter, map } from "rxjs";
import { defineJob, json } from "tidemark";
import { kafkaSource } from "tidemark/connectors/kafka";
import { postgresSink } from "tidemark/connectors/postgres";
import { clockTime, lateMinutes, type NumberedFlight } from "./flight.ts";
import { brokers, database } from "./servers.ts";

export default defineJob({
  name: "late-flights-to-postgres",
  source: kafkaSource({ brokers, topics: ["flights"], value: json<NumberedFlight>(), startingOffsets: "earliest" }),
  pipeline: (records$) =>
    records$.pipe(
      map((record) => record.value),
      filter((flight) => flight.delay >= lateMinutes),
      map(({ id, time, delay, distance }) => ({
        id,
        departure: clockTime(time),
        delay_minutes: delay,
        miles: distance,
      })),
    ),
  sink: postgresSink({ url: database, table: "late_flights" }),
  checkpoint: database,
  trigger: { intervalMs: 500 },
  maxOffsetsPerBatch: 100_000,
});
