// What recording takes of a batch: a job from Kafka's JSON (filter, map) to a file, in batches of 10,000 records. In
// steady state a batch has one append, its completion together with the next plan, and the next batch's records are
// read while it is under way. So three things are said: how long an append takes; how much of that the process waits
// with nothing to do; and what a batch pays for it: how much longer batches take than with a checkpoint in memory, in
// turns (which says little while other programs want the processor). Where a store can be part of its sink's
// transaction, that is measured too, against the same sink with a checkpoint in memory.
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
  /** Of it, when this process had nothing to do but to wait. */
  readonly idleMs: number;
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
  const measured = async (kind: StoreKind, url: (place: Place) => string, to: (place: Place) => Sink<object>) => {
    const place = placeOf(kind);
    return await measure(url(place), place, topic, to(place));
  };
  const comparison = (kind: StoreKind, to: (place: Place) => Sink<object>): Comparison => ({
    name: kind.name,
    recorded: () => measured(kind, kind.url, to),
    inMemory: () => measured(kind, () => "memory:", to),
  });
  print(`Batches of ${RECORDS_PER_BATCH} JSON records, Kafka → filter, map → a file: recording beside the rest`);
  await compareRuns(
    kinds.map((kind) => comparison(kind, () => fileSink({ dir: "out" }))),
    rounds,
  );
  const joint = kinds.flatMap((kind) => {
    const { jointSink } = kind;
    return jointSink === undefined ? [] : [comparison(kind, (place) => jointSink(place, topic))];
  });
  if (joint.length === 0) return;
  print("The same to a sink of the store's own system, rows and entry in one transaction: what the entry adds to it");
  await compareRuns(joint, rounds);
}

interface Comparison {
  readonly name: string;
  recorded(): Promise<Measured>;
  inMemory(): Promise<Measured>;
}

async function compareRuns(comparisons: readonly Comparison[], rounds: number): Promise<void> {
  const results = new Map(comparisons.map((each) => [each, { recorded: [], inMemory: [] } as Results]));
  // The first round is not counted: it loads and compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const [comparison, { recorded, inMemory }] of results) {
      // Neither is always the first.
      const turns = [
        async () => recorded.push(await comparison.recorded()),
        async () => inMemory.push(await comparison.inMemory()),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
      if (round === 0) recorded.length = inMemory.length = 0;
    }
  }
  for (const [{ name }, { recorded, inMemory }] of results) {
    const appendMs = spread(recorded.map((result) => result.appendMs)).median;
    const idleMs = spread(recorded.map((result) => result.idleMs)).median;
    const batchMs = spread(recorded.map((result) => result.batchMs)).median;
    const aloneMs = spread(inMemory.map((result) => result.batchMs)).median;
    const ratios = recorded.map((result, round) => result.batchMs / (inMemory[round]?.batchMs ?? 0));
    const { median, min, max } = spread(ratios.map((ratio) => 100 * (ratio - 1)));
    const verdict = median <= MOST_PERCENT ? "ok" : `MORE THAN ${MOST_PERCENT} %`;
    print(
      `  ${name.padEnd(9)} an append ${appendMs.toFixed(2)} ms, idle ${idleMs.toFixed(2)};` +
        ` a batch ${batchMs.toFixed(2)} ms, with its checkpoint in memory ${aloneMs.toFixed(2)} ms:` +
        ` ${median.toFixed(1)} % [${min.toFixed(1)}–${max.toFixed(1)}] ${verdict}`,
    );
  }
}

interface Results {
  readonly recorded: Measured[];
  readonly inMemory: Measured[];
}

async function measure(url: string, place: Place, topic: PaymentsTopic, to: Sink<object>): Promise<Measured> {
  mkdirSync(place.dir, { recursive: true });
  const [appends, idles, batches]: [number[], number[], number[]] = [[], [], []];
  const store = timedStore(await openStore(url, { baseDir: place.dir }), appends, idles);
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
    sink: to,
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
      if (lastMs === undefined) appends.length = idles.length = 0;
      else batches.push(nowMs - lastMs);
      lastMs = nowMs;
    },
  });
  await store[Symbol.asyncDispose]();
  return { appendMs: spread(appends).median, idleMs: spread(idles).median, batchMs: spread(batches).median };
}

/** The store itself, whose writers note how long their appends take. */
function timedStore(store: CheckpointStore, appends: number[], idles: number[]): CheckpointStore {
  const takeOver = store.takeOver.bind(store);
  store.takeOver = async (...asked) => {
    const writer = await takeOver(...asked);
    const append = writer.append.bind(writer);
    writer.append = async (...appended) => {
      const [beganMs, before] = [performance.now(), performance.eventLoopUtilization()];
      try {
        return await append(...appended);
      } finally {
        appends.push(performance.now() - beganMs);
        idles.push(performance.eventLoopUtilization(before).idle);
      }
    };
    return writer;
  };
  return store;
}
