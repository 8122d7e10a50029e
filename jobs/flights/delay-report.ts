// How late a batch's flights were, one printed line a batch: each task sums up its own partition, `combine` adds the
// sums.
import { map, reduce } from "rxjs";
import { defineJob, json } from "tidemark";
import { consoleSink } from "tidemark/connectors/console";
import { fileSource } from "tidemark/connectors/files";
import { clockTime, type Flight, lateMinutes } from "./flight.ts";

interface Sum {
  readonly flights: number;
  readonly late: number;
  readonly delayMinutes: number;
  readonly untilTime: number;
}

const nothing: Sum = { flights: 0, late: 0, delayMinutes: 0, untilTime: 0 };

function add(a: Sum, b: Sum): Sum {
  return {
    flights: a.flights + b.flights,
    late: a.late + b.late,
    delayMinutes: a.delayMinutes + b.delayMinutes,
    untilTime: Math.max(a.untilTime, b.untilTime),
  };
}

export default defineJob({
  name: "delay-report",
  source: fileSource({ dir: "data/flights", value: json<Flight>(), startingOffsets: "earliest" }),
  pipeline: (records$) =>
    records$.pipe(
      map(({ value: { delay, time } }) => ({
        flights: 1,
        late: delay >= lateMinutes ? 1 : 0,
        delayMinutes: delay,
        untilTime: time,
      })),
      reduce(add, nothing),
    ),
  combine: (sums$) =>
    sums$.pipe(
      reduce(add, nothing),
      map(({ flights, late, delayMinutes, untilTime }) => ({
        until: clockTime(untilTime),
        flights,
        late,
        meanDelayMinutes: Math.round((delayMinutes / flights) * 10) / 10,
      })),
    ),
  sink: consoleSink(),
  trigger: "available-now",
  maxOffsetsPerBatch: 18_000,
});
