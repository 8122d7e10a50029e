// The flights that were an hour late or more, as CSV files: one for each batch that has any.
import { filter, map } from "rxjs";
import { defineJob, json } from "tidemark";
import { fileSink, fileSource } from "tidemark/connectors/files";
import { clockTime, type Flight, lateMinutes } from "./flight.ts";

export default defineJob({
  name: "late-flights",
  source: fileSource({ dir: "data/flights", value: json<Flight>(), startingOffsets: "earliest" }),
  pipeline: (records$) =>
    records$.pipe(
      map((record) => record.value),
      filter((flight) => flight.delay >= lateMinutes),
      map(({ time, delay, distance }) => ({ departure: clockTime(time), delayMinutes: delay, miles: distance })),
    ),
  sink: fileSink({ dir: "out/late-flights", format: "csv" }),
  trigger: "available-now",
  maxOffsetsPerBatch: 18_000,
});
