// The job of the crash tests on Kafka, copied into a test's folder as its job.ts: a topic, each record a row, into a
// topic or a table. On stderr it says where it is, one line each: "@task 7 0 100 200", "@commit 7", "@committed 7".
// While a file hold-task, hold-commit or hold-committed lies in the folder, it waits there.
import { existsSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { map, type Observable } from "rxjs";
import {
  type BatchWrite,
  type CheckpointStore,
  defineJob,
  json,
  mapAsync,
  type Sink,
  type SourceRecord,
} from "tidemark";
import { kafkaStore } from "tidemark/checkpoints/kafka";
import { postgresStore } from "tidemark/checkpoints/postgres";
import { kafkaSink, kafkaSource } from "tidemark/connectors/kafka";
import { postgresSink } from "tidemark/connectors/postgres";
import type { Hold } from "./job-folder.ts";
import type { KafkaJobSettings } from "./kafka-job-folder.ts";
import type { InputRecord } from "./kafka-rows.ts";

const LOOK_EVERY_MS = 2;
/** Little, so that it cannot go on for long without its broker. */
const FETCH_MAX_BYTES = 100_000;
const here = import.meta.dirname;
const settings: KafkaJobSettings = JSON.parse(readFileSync(join(here, "settings.json"), "utf8"));
const brokers = [settings.bootstrap];

type KafkaRecord = SourceRecord<InputRecord, Uint8Array | null>;

/** Says that the job is at this point, and waits there as long as it is told to. */
async function point(hold: Hold, what: string | number): Promise<void> {
  writeSync(2, `@${hold} ${what}\n`);
  while (existsSync(join(here, `hold-${hold}`))) await delay(LOOK_EVERY_MS);
}

async function commits<Result>(batchId: number, commit: () => Promise<Result>): Promise<Result> {
  await delay(settings.pauseMs ?? 0);
  await point("commit", batchId);
  const result = await commit();
  await point("committed", batchId);
  return result;
}

/** The batch whose rows are on their way. */
let batchInHand = -1;

/** A sink that says when a batch is about to be committed and when it has been. */
function watchedSink(sink: Sink<InputRecord>): Sink<InputRecord> {
  return {
    ...sink,
    async open(context, signal) {
      const writer = await sink.open(context, signal);
      return {
        async begin(batch) {
          batchInHand = batch.batchId;
          const write = await writer.begin(batch);
          return write === "already-written" ? write : watchedWrite(write, batch.batchId);
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  };
}

function watchedWrite(write: BatchWrite, batchId: number): BatchWrite {
  return {
    ...(write.transaction === undefined ? {} : { transaction: write.transaction }),
    write: (rows) => write.write(rows),
    commit: () => commits(batchId, () => write.commit()),
    [Symbol.asyncDispose]: () => write[Symbol.asyncDispose](),
  };
}

/** A store that says the same when it is the one that commits the sink's rows, with its own entry. */
function watchedStore(store: CheckpointStore): CheckpointStore {
  const takeOver = store.takeOver.bind(store);
  store.takeOver = async (...asked) => {
    const writer = await takeOver(...asked);
    const append = writer.append.bind(writer);
    writer.append = (seq, entry, customary, signal, rows) => {
      const appends = () => append(seq, entry, customary, signal, rows);
      return rows === undefined ? appends() : commits(batchInHand, appends);
    };
    return writer;
  };
  return store;
}

/** Holds back the first record of a task; the records as they were when nothing is to be held. */
function heldAtFirst(records$: Observable<KafkaRecord>, what: string) {
  if (!existsSync(join(here, "hold-task"))) return records$;
  let isFirst = true;
  const hold = async (record: KafkaRecord) => {
    if (isFirst) await point("task", what);
    isFirst = false;
    return record;
  };
  return records$.pipe(mapAsync({ concurrency: 1 }, hold));
}

function sinkOf({ output, bootstrap }: KafkaJobSettings): Sink<InputRecord> {
  if ("table" in output) return postgresSink({ url: output.url, table: output.table });
  const { topic } = output;
  // Small record batches: some are sent, in a transaction that is open, long before the commit.
  return kafkaSink({ brokers: [bootstrap], topic, partition: "partition", recordBatchMaxBytes: 16_384 });
}

function storeOf({ checkpoint }: KafkaJobSettings): CheckpointStore | string {
  if (checkpoint.startsWith("postgres:")) return watchedStore(postgresStore({ url: checkpoint }));
  return checkpoint.startsWith("kafka:") ? watchedStore(kafkaStore(checkpoint)) : checkpoint;
}

// biome-ignore lint/style/noDefaultExport: a job file has one
export default defineJob({
  name: settings.name,
  source: kafkaSource({ brokers, topics: settings.input, value: json<InputRecord>(), fetchMaxBytes: FETCH_MAX_BYTES }),
  pipeline: (records$, { batchId, partition, fromOffset, untilOffset }) => {
    const what = `${batchId} ${partition} ${fromOffset} ${untilOffset}`;
    writeSync(2, `@task ${what}\n`);
    return heldAtFirst(records$, what).pipe(map(({ value }) => value));
  },
  sink: watchedSink(sinkOf(settings)),
  checkpoint: storeOf(settings),
  trigger: "available-now",
  maxOffsetsPerBatch: settings.maxOffsetsPerBatch,
});
