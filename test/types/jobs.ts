// The user's contract as the compiler sees it: what must compile does, and what must not is
// marked. `tsc` is the test; nothing here runs.
import { filter, map, type Observable, reduce } from "rxjs";
import {
  type DeadLetter,
  deadLetter,
  defineJob,
  type FunctionBatch,
  type Job,
  json,
  mapAsync,
  runJob,
  type SourceRecord,
  text,
} from "tidemark";
import { consoleSink } from "tidemark/connectors/console";
import { fileSink, fileSource } from "tidemark/connectors/files";
import { memorySink, memorySource } from "tidemark/connectors/memory";
import { rateSource } from "tidemark/connectors/rate";
import { runPipeline } from "tidemark/testing";
import * as v from "valibot";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <T extends true>(): T | undefined => undefined;

interface Payment {
  id: number;
  user: string;
  amount: number;
}
const payments = fileSource({ dir: "payments", value: json<Payment>() });

export const example = defineJob({
  name: "large-payments",
  source: fileSource({ dir: "in", value: json<Payment>(), startingOffsets: "earliest" }),
  pipeline: (records$, task) =>
    records$.pipe(
      filter((record) => record.value.amount > 50),
      map(({ value }) => ({ id: value.id, user: value.user, partition: task.partition })),
    ),
  sink: fileSink({ dir: "out", format: "ndjson" }),
  checkpoint: "file:.tidemark",
  trigger: { intervalMs: 500 },
  maxOffsetsPerBatch: 100_000,
});
interface ExampleRow {
  id: number;
  user: string;
  partition: number;
}
type Spelled<T> = { [K in keyof T]: T[K] };
same<Same<typeof example, Job<SourceRecord<Payment, null>, Spelled<ExampleRow>, Spelled<ExampleRow>>>>();

export const propertiesInAnyOrder = defineJob({
  sink: memorySink<{ id: number }>(),
  pipeline: (records$) => records$.pipe(map((record) => ({ id: record.value.id }))),
  source: payments,
  name: "any-order",
});

export const sinkFunction = defineJob({
  name: "sink-function",
  source: payments,
  pipeline: (records$) => records$.pipe(map((record) => ({ id: record.value.id }))),
  sink: async (rows, batch) => {
    const id: number | undefined = rows[0]?.id;
    const lineage: string = batch.lineageId;
    const until: bigint | undefined = batch.ranges[0]?.untilOffset;
    return void [id, lineage, until, batch.planHash, batch.batchId.toFixed(), batch.signal.aborted];
  },
});

export const schemas = defineJob({
  name: "schemas",
  source: fileSource({
    dir: "in",
    value: json(z.object({ id: z.number(), at: z.string().transform((at) => new Date(at)) })),
  }),
  pipeline: (records$) => records$.pipe(map(({ value }) => ({ id: value.id, year: value.at.getFullYear() }))),
  sink: memorySink<{ id: number; year: number }>(),
});

export const valibot = defineJob({
  name: "valibot",
  source: fileSource({ dir: "in", value: json(v.object({ id: v.number() })) }),
  pipeline: (records$) => records$.pipe(map(({ value }) => value.id.toFixed(1))),
  sink: consoleSink(),
});

export const projected = defineJob({
  name: "projected",
  source: fileSource({
    dir: "in",
    value: json({
      id: "number",
      user: "string?",
      on: "boolean",
      any: "json",
      "address.city": "string",
      "a.b.c": "number?",
    }),
  }),
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: (rows) => void rows,
});
same<
  Same<
    typeof projected extends Job<infer _R, infer Row> ? Row : never,
    {
      id: number;
      user: string | null;
      on: boolean;
      any: unknown;
      address: { city: string };
      a: { b: { c: number | null } };
    }
  >
>();

// @ts-expect-error no such type
export const noSuchType = json({ id: "numbr" });

export const combined = defineJob({
  name: "combined",
  source: memorySource({ records: [{ user: "u", amount: 1 }] }),
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  combine: (rows$, batch) =>
    rows$.pipe(
      reduce((sums, row) => sums.set(row.user, (sums.get(row.user) ?? 0) + row.amount), new Map<string, number>()),
      map((sums) => ({ batchId: batch.batchId, users: sums.size })),
    ),
  sink: (rows) => void rows.map((row) => row.users.toFixed()),
});
same<
  Same<typeof combined extends Job<infer _R, infer _Row, infer Out> ? Out : never, { batchId: number; users: number }>
>();

export const plainBytes = defineJob({
  name: "bytes",
  source: fileSource({ dir: "in" }),
  pipeline: (records$) => records$.pipe(map((record) => ({ length: record.value.byteLength, extra: 1 }))),
  sink: memorySink<{ length: number }>(),
});

export const asyncRows = defineJob({
  name: "async",
  source: fileSource({ dir: "in", value: text() }),
  pipeline: (records$) =>
    records$.pipe(mapAsync({ concurrency: 4 }, async (record) => ({ length: record.value.length }))),
  sink: (rows) => void rows.map((row) => row.length),
});

export const rates = defineJob({
  name: "rates",
  source: rateSource({ recordsPerSecond: 10 }),
  pipeline: (records$) => records$.pipe(map((record) => record.value.value * 2)),
  sink: consoleSink(),
  trigger: "continuous",
});

export const tombstones = defineJob({
  name: "tombstones",
  source: fileSource({ dir: "in", value: json<Payment>(), tombstones: true }),
  pipeline: (records$) => records$.pipe(map((record) => same<Same<typeof record.value, Payment | null>>())),
  sink: consoleSink(),
});

export const poison = defineJob({
  name: "poison",
  source: payments,
  pipeline: (records$) => records$,
  sink: consoleSink(),
  onPoisonRecord: deadLetter(fileSink({ dir: "bad", format: "ndjson" })),
});
deadLetter(memorySink<DeadLetter>());
deadLetter((letters) => void letters.map((letter) => letter.error));

export const asFunction = (records$: Observable<SourceRecord<Payment>>) => records$.pipe(map(({ value }) => value.id));
export const withNamedPipeline = defineJob({
  name: "named",
  source: payments,
  pipeline: asFunction,
  sink: consoleSink(),
});

export async function programs(): Promise<void> {
  const result = await runJob(example, { trigger: "once" });
  same<Same<typeof result.rows, number>>();
  const rows = await runPipeline(example, [{ value: { id: 1, user: "u", amount: 51 } }]);
  same<Same<typeof rows, ExampleRow[]>>();
  // @ts-expect-error a value of another type
  await runPipeline(example, [{ value: { id: "1" } }]);
}

export const wrongField = defineJob({
  name: "wrong",
  source: payments,
  // @ts-expect-error the value has no such field
  pipeline: (records$) => records$.pipe(map((record) => ({ id: record.value.nope }))),
  sink: consoleSink(),
});

// @ts-expect-error the sink takes other rows
export const wrongSink = defineJob({
  name: "wrong",
  source: payments,
  pipeline: (records$) => records$.pipe(map(({ value }) => ({ id: value.id }))),
  sink: memorySink<{ id: string }>(),
});

// @ts-expect-error the sink takes what combine gives, not what the pipeline gives
export const wrongCombine = defineJob({
  name: "wrong",
  source: payments,
  pipeline: (records$) => records$.pipe(map(({ value }) => value.id)),
  combine: (rows$) => rows$.pipe(map(String)),
  sink: memorySink<number>(),
});

const sink = consoleSink();
const same$ = <T>(records$: Observable<T>) => records$;
// @ts-expect-error a misspelt option
export const misspelt = defineJob({ name: "x", source: payments, pipeline: same$, sink, triger: "once" });
// @ts-expect-error no such commit mode
export const noCommit = defineJob({ name: "x", source: payments, pipeline: same$, sink, commit: "auto" });
// @ts-expect-error a misspelt interval
export const noInterval = defineJob({ name: "x", source: payments, pipeline: same$, sink, commit: { intervalMs: 5 } });
export const autoCommit = defineJob({
  name: "auto",
  source: payments,
  pipeline: same$,
  sink,
  commit: { autoCommitIntervalMs: 5_000 },
  storeTimeoutMs: 60_000,
});
export const manualCommit = defineJob({
  name: "manual",
  source: payments,
  pipeline: (records$) => records$.pipe(map(({ value }) => value.id)),
  sink: async (rows, batch) => {
    same<Same<typeof rows, readonly number[]>>();
    same<Same<typeof batch, FunctionBatch>>();
    const committed: Promise<void> = batch.commitSync();
    await committed;
    batch.commitAsync();
    batch.commitAsync((failure) => void failure);
    // @ts-expect-error there is no commit but these
    batch.commit();
  },
  commit: "manual",
});
// @ts-expect-error no such trigger
export const noTrigger = defineJob({ name: "x", source: payments, pipeline: same$, sink, trigger: "daily" });
// @ts-expect-error a pipeline must return an Observable
export const noStream = defineJob({ name: "x", source: payments, pipeline: () => 1, sink });
// @ts-expect-error a job without a sink
export const noSink = defineJob({ name: "x", source: payments, pipeline: same$ });
// @ts-expect-error no such format
fileSink({ dir: "out", format: "parquet" });
