// What the jobs of the comparison share: where to read from and how values are decoded, as the environment says
// (`test/bench/workloads/ours.ts` sets it), and the sums by which their results are compared.
import { kafkaSource } from "../../../connectors/kafka/index.ts";
import { type Deserializer, json } from "../../../runtime/index.ts";

/** Three of the seven fields of a record. */
export interface Payment {
  readonly id: number;
  readonly user: string;
  readonly amount: number;
}

const { env } = process;

export const brokers = (env["KAFKA_BROKERS"] ?? "127.0.0.1:9092").split(",");
export const database = env["DATABASE_URL"] ?? "postgres://localhost/app";
/** A topic or a table. */
export const output = env["BENCH_OUTPUT"] ?? "payments_out";

/** The options that all jobs have. */
export const options = {
  name: env["BENCH_NAME"] ?? "bench",
  trigger: "available-now",
  maxOffsetsPerBatch: Number(env["BENCH_BATCH"] ?? 1_000_000),
} as const;

/** The topic, its values decoded by `value`. */
export function payments<V>(value: Deserializer<V>) {
  return kafkaSource({ brokers, topics: [env["BENCH_TOPIC"] ?? "payments"], value, startingOffsets: "earliest" });
}

/** Values decoded whole or, unless `BENCH_VALUE` is "whole", in the three fields only. */
export const value: Deserializer<Payment> =
  env["BENCH_VALUE"] === "whole" ? json<Payment>() : json({ id: "number", user: "string", amount: "number" });

/** What batches came to; adds up to the digest of the run. */
export class Totals<Names extends string> {
  readonly digest: Record<Names, number>;

  constructor(zero: Record<Names, number>) {
    this.digest = zero;
  }

  add(part: Readonly<Record<Names, number>>): void {
    for (const name of Object.keys(this.digest) as Names[]) this.digest[name] += part[name];
  }
}
