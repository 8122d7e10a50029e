// The job of the matrix: a topic, each record a row. It says on stderr which batch it begins, "@begin 1 runs", and
// kills itself at the point that its settings name. The points are in wrappers around sink and store, or around what a
// sink writes with, and in the pipeline: nothing in the product knows of them.
import { writeSync } from "node:fs";
import { map, tap } from "rxjs";
import { type CheckpointStore, defineJob, json, type LogWriter, type Sink } from "tidemark";
import { kafkaSource } from "tidemark/connectors/kafka";
import { openStore } from "../../runtime/open-store.ts";
import type { InputRecord } from "../crash/kafka-rows.ts";
import { AMID, batchKilledAt, type Point } from "./points.ts";
import { sinks } from "./sinks.ts";
import { stores } from "./stores.ts";
import type { Where } from "./where.ts";

/** What the test tells the job's process in the environment variable GUARANTEES_JOB. */
export interface JobSettings extends Where {
  readonly sink: string;
  readonly store: string;
  readonly input: string;
  readonly maxOffsetsPerBatch: number;
  /** The record of partition 1 at which "mid-read" is: by its `seq`. */
  readonly midReadSeq: number;
  readonly killAt?: Point;
}

const settings = JSON.parse(process.env["GUARANTEES_JOB"] ?? "{}") as JobSettings;
const { killAt } = settings;
/** −1: none has begun. */
let batchInHand = -1;

/** Ends the process here, as `kill -9` does, if this is the point in the batch that is to be killed. */
function passes(point: Point, batchId = batchInHand): void {
  if (killAt === point && batchId === batchKilledAt(point)) process.kill(process.pid, "SIGKILL");
}

/** Wraps methods in place: whatever else sink and store say to each other stays as it is. */
function watchSink(sink: Sink<InputRecord>): Sink<InputRecord> {
  const open: typeof sink.open = async (context, signal) => {
    const writer = await sink.open(context, signal);
    const begin = writer.begin.bind(writer);
    writer.begin = async (...asked) => {
      const [batch] = asked;
      batchInHand = batch.batchId;
      const write = await begin(...asked);
      writeSync(2, `@begin ${batch.batchId} ${write === "already-written" ? "found" : "runs"}\n`);
      if (write === "already-written") return write;
      const commit = write.commit.bind(write);
      write.commit = async () => {
        passes("before the sink's commit");
        await commit();
        passes("after the sink's commit");
      };
      return write;
    };
    return writer;
  };
  return { ...sink, open };
}

function watchStore(store: CheckpointStore): CheckpointStore {
  const takeOver = store.takeOver.bind(store);
  store.takeOver = async (...asked) => watchWriter(await takeOver(...asked));
  return store;
}

function watchWriter(writer: LogWriter): LogWriter {
  const append = writer.append.bind(writer);
  writer.append = async (...asked) => {
    // Only a completion has positions to show; what comes before any batch is the first plan.
    const [, , positions] = asked;
    const completes = positions.length > 0;
    if (completes) passes("before the entry");
    const appended = await append(...asked);
    if (completes) passes("after the entry");
    else passes("after the plan", 0);
    return appended;
  };
  return writer;
}

function oneOf<Case extends { readonly name: string }>(cases: readonly Case[], name: string): Case {
  const found = cases.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

const sinkCase = oneOf(sinks, settings.sink);
const sink = await sinkCase.sink(settings);
if (killAt === AMID) await sinkCase.halfway?.(settings, () => passes(AMID));
const store = await openStore(oneOf(stores, settings.store).url(settings), { baseDir: settings.dir });

// biome-ignore lint/style/noDefaultExport: a job file has one
export default defineJob({
  name: settings.name,
  source: kafkaSource({
    brokers: [settings.servers.kafka.bootstrap],
    topics: settings.input,
    value: json<InputRecord>(),
  }),
  pipeline: (records$, { batchId, partition }) =>
    records$.pipe(
      tap(({ value }) => {
        if (partition === 1 && value.seq === settings.midReadSeq) passes("mid-read", batchId);
      }),
      map(({ value }) => value),
    ),
  sink: watchSink(sink),
  checkpoint: watchStore(store),
  trigger: "available-now",
  maxOffsetsPerBatch: settings.maxOffsetsPerBatch,
});
