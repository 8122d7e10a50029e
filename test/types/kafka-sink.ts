// The Kafka sink's types as the compiler sees them: fields by name must be the rows', and functions are given rows.
// `tsc` is the test; nothing here runs.
import { map } from "rxjs";
import { defineJob, json } from "tidemark";
import { kafkaSink, kafkaSource } from "tidemark/connectors/kafka";

interface Payment {
  readonly id: number;
  readonly user: string;
  readonly amount: number;
}
const source = kafkaSource({ brokers: ["b:1"], topics: "t", value: json<Payment>() });
const brokers = ["b:1"];
export const byFunctions = defineJob({
  name: "functions",
  source,
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: kafkaSink({
    brokers,
    topic: (row: Payment) => `to-${row.user}`,
    key: (row: Payment) => row.id,
    value: (row: Payment) => (row.amount > 0 ? row : null),
    partition: (row: Payment) => row.id % 4,
    headers: (row: Payment) => ({ user: row.user }),
  }),
});
export const byFields = defineJob({
  name: "fields",
  source,
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: kafkaSink({ brokers, topic: "t", key: "user", value: "amount", partition: "id" }),
});
// @ts-expect-error The rows have no field "usr".
export const noSuchField = defineJob({
  name: "no-such-field",
  source,
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: kafkaSink({ brokers, topic: "t", key: "usr" }),
});
