// The five workloads that throughput is compared on: what is to be done, what it must come to, and who takes part. W5,
// latency, is another program's (latency.ts).

import { flink } from "../peers/flink/flink.ts";
import { consumerPerf, producerPerf } from "../peers/kafka-client/kafka-client.ts";
import { kafkaStreams } from "../peers/kafka-streams/kafka-streams.ts";
import { kcat } from "../peers/kcat.ts";
import { kafkajs, platformatic } from "../peers/node-clients/node-clients.ts";
import { psqlCopy } from "../peers/psql-copy.ts";
import { spark } from "../peers/spark/spark.ts";
import type { Contestant } from "./contestant.ts";
import type { Digest, Expected } from "./expected.ts";
import { ours } from "./ours.ts";

export interface Workload {
  /** As typed: `npm run bench -- w0`. */
  readonly name: string;
  readonly title: string;
  /** Where results are that no program prints. */
  readonly output?: "topic" | "table";
  expected(all: Expected): Digest;
  /** In the order of the table. */
  readonly contestants: readonly Contestant[];
}

const whole = { BENCH_VALUE: "whole" };

export const workloads: readonly Workload[] = [
  {
    name: "w0",
    title: "read all values, count their bytes",
    expected: ({ bytes }) => bytes,
    contestants: [ours({ job: "count-bytes", label: "Tidemark, bytes()" }), consumerPerf, kcat, platformatic, kafkajs],
  },
  {
    name: "w1",
    title: "JSON, filter amount > 50, project 3 fields, sum up",
    expected: ({ large }) => large,
    contestants: [
      ours({ job: "large-payments", label: "Tidemark, json({…})" }),
      ours({ job: "large-payments", label: "Tidemark, json({…}), 2 threads", threads: 2 }),
      ours({ job: "large-payments", label: "Tidemark, json<T>()", env: whole }),
      ours({ job: "large-payments", label: "Tidemark, json<T>(), 2 threads", env: whole, threads: 2 }),
      spark("w1", ""),
      kafkaStreams("w1", ""),
      flink("w1", ""),
    ],
  },
  {
    name: "w2",
    title: "sum of amount by user (100,000 users), per batch",
    expected: ({ sums }) => sums,
    contestants: [
      ours({ job: "sum-by-user", label: "Tidemark, json({…}), combine" }),
      ours({ job: "sum-by-user", label: "Tidemark, json({…}), combine, 2 threads", threads: 2 }),
      spark("w2", ", foreachBatch"),
      kafkaStreams("w2", ", running sum"),
      flink("w2", ", event-time windows"),
    ],
  },
  {
    name: "w3",
    title: "W1's rows into Postgres, exactly once",
    output: "table",
    expected: ({ large }) => large,
    contestants: [
      ours({ job: "payments-to-postgres", label: "Tidemark, json({…})" }),
      ours({ job: "payments-to-postgres", label: "Tidemark, json({…}), 2 threads", threads: 2 }),
      spark("w3", ", JDBC, staging table"),
      psqlCopy,
    ],
  },
  {
    name: "w4",
    title: "W1's rows into Kafka, exactly once",
    output: "topic",
    expected: ({ large }) => large,
    contestants: [
      ours({ job: "payments-to-kafka", label: "Tidemark, json({…})" }),
      ours({ job: "payments-to-kafka", label: "Tidemark, json({…}), 2 threads", threads: 2 }),
      spark("w4", ""),
      kafkaStreams("w4", ""),
      flink("w4", ""),
      producerPerf,
    ],
  },
];
