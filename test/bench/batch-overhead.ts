// What recording takes of a batch: a job from Kafka's JSON (filter, map) to a file, in batches of 10,000 records. In
// steady state a batch has one append, its completion together with the next plan. The time of those is set against
// the time of the rest. Where a store can be part of its sink's transaction, that is measured too: what its append
// takes beyond the sink's commit alone, as it is with a checkpoint in memory.
import { mkdirSync } from "node:fs";
import { filter, map } from "rxjs";
import { fileSink } from "../../connectors/files/index.ts";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { type CheckpointStore, defineJob, json, runJob, type Sink } from "../../runtime/index.ts";
import { openStore } from "../../runtime/open-store.ts";
import { type Payment, type PaymentsTopic, paymentsTopic } from "./payments-topic.ts";
import { print, spread } from "./report.ts";
import type { Place, StoreKind } from "./store-kinds.ts";

const RECORDS = 400_000;
const RECORDS_PER_BATCH = 10_000;
const MOST_PERCENT = 5;
const isLarge = ({ amount }: Payment) => amount > 50;

/** Medians over one run of a job, in ms. */
interface Measured {
  /** In the store, per batch. */
  readonly appendMs: number;
  /** In the sink, per batch; 0 where the store commits the rows. */
  readonly commitMs: number;
  readonly batchMs: number;
}

/** Prints a line a store: the median of the rounds, in which the stores take turns. */
export async function measureOverhead(
  kinds: readonly StoreKind[],
  placeOf: (kind: StoreKind) => Place,
  rounds: number,
): Promise<void> {
  const brokers = process.env["KAFKA_BROKERS"]?.split(",");
  if (brokers === undefined) return print("batches are left out: KAFKA_BROKERS is not set");
  await using topic = await paymentsTopic(brokers, RECORDS);
  const toFile = kinds.map((kind) => ({
    name: kind.name,
    run: async () => {
      const place = placeOf(kind);
      const { appendMs, batchMs } = await measure(kind.url(place), place, topic, fileSink({ dir: "out" }));
      return { recordMs: appendMs, batchMs };
    },
  }));
  print(`Batches of ${RECORDS_PER_BATCH} JSON records, Kafka → filter, map → a file: recording beside the rest`);
  await compareRuns(toFile, rounds);
  const joint = kinds.flatMap((kind) => {
    const { name, jointSink } = kind;
    if (jointSink === undefined) return [];
    const run = async () => {
      const [alone, place] = [placeOf(kind), placeOf(kind)];
      const { commitMs } = await measure("memory:", alone, topic, jointSink(alone, topic));
      const { appendMs, batchMs } = await measure(kind.url(place), place, topic, jointSink(place, topic));
      return { recordMs: Math.max(0, appendMs - commitMs), batchMs };
    };
    return [{ name, run }];
  });
  if (joint.length === 0) return;
  print("The same to a sink of the store's own system, rows and entry in one transaction: what the entry adds to it");
  await compareRuns(joint, rounds);
}

interface Comparison {
  readonly name: string;
  run(): Promise<{ readonly recordMs: number; readonly batchMs: number }>;
}

async function compareRuns(comparisons: readonly Comparison[], rounds: number): Promise<void> {
  const measured = new Map<Comparison, { recordMs: number; batchMs: number }[]>(comparisons.map((each) => [each, []]));
  // The first round is not counted: it loads and compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const comparison of comparisons) {
      const result = await comparison.run();
      if (round > 0) measured.get(comparison)?.push(result);
    }
  }
  for (const [{ name }, results] of measured) {
    const recordMs = spread(results.map((result) => result.recordMs)).median;
    const batchMs = spread(results.map((result) => result.batchMs)).median;
    const percent = (100 * recordMs) / (batchMs - recordMs);
    const verdict = percent <= MOST_PERCENT ? "ok" : `MORE THAN ${MOST_PERCENT} %`;
    const [record, batch] = [recordMs.toFixed(2), batchMs.toFixed(2)];
    print(`  ${name.padEnd(9)} ${record} ms of ${batch} ms a batch: ${percent.toFixed(1)} % ${verdict}`);
  }
}

async function measure(url: string, place: Place, topic: PaymentsTopic, to: Sink<object>): Promise<Measured> {
  mkdirSync(place.dir, { recursive: true });
  const [appends, commits, batches]: [number[], number[], number[]] = [[], [], []];
  const store = timedStore(await openStore(url, { baseDir: place.dir }), appends);
  let lastMs: number | undefined;
  const { brokers, input } = topic;
  const job = defineJob({
    name: place.name,
    source: kafkaSource({ brokers, topics: input, value: json<Payment>(), mirrorOffsetsToGroup: false }),
    pipeline: (records$) =>
      records$.pipe(
        map(({ value }) => value),
        filter(isLarge),
        map(({ id, user, amount }) => ({ id, user, amount })),
      ),
    sink: timedSink(to, commits),
    checkpoint: store,
    trigger: "available-now",
    maxOffsetsPerBatch: RECORDS_PER_BATCH,
  });
  await runJob(job, {
    baseDir: place.dir,
    onEvent: ({ type }) => {
      if (type !== "completed") return;
      const nowMs = performance.now();
      // Counted from the end of the first batch on, so that starting is not.
      if (lastMs === undefined) appends.length = commits.length = 0;
      else batches.push(nowMs - lastMs);
      lastMs = nowMs;
    },
  });
  await store[Symbol.asyncDispose]();
  const medianOf = (numbers: number[]) => (numbers.length === 0 ? 0 : spread(numbers).median);
  return { appendMs: medianOf(appends), commitMs: medianOf(commits), batchMs: medianOf(batches) };
}

/** The store itself, whose writers note how long their appends take. */
function timedStore(store: CheckpointStore, appends: number[]): CheckpointStore {
  const takeOver = store.takeOver.bind(store);
  store.takeOver = async (...asked) => {
    const writer = await takeOver(...asked);
    const append = writer.append.bind(writer);
    writer.append = (...appended) => timed(appends, () => append(...appended));
    return writer;
  };
  return store;
}

/** A sink that notes how long its commits take. */
function timedSink(sink: Sink<object>, commits: number[]): Sink<object> {
  const open: typeof sink.open = async (context, signal) => {
    const writer = await sink.open(context, signal);
    const begin = writer.begin.bind(writer);
    writer.begin = async (...asked) => {
      const write = await begin(...asked);
      if (write === "already-written") return write;
      const commit = write.commit.bind(write);
      write.commit = () => timed(commits, commit);
      return write;
    };
    return writer;
  };
  return { ...sink, open };
}

async function timed<Result>(into: number[], work: () => Promise<Result>): Promise<Result> {
  const began = performance.now();
  try {
    return await work();
  } finally {
    into.push(performance.now() - began);
  }
}
