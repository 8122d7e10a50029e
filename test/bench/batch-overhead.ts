// What recording takes of a batch: a job from Kafka's JSON (filter, map) to a file, in batches of 10,000 records. In
// steady state a batch has one append, its completion together with the next plan. The time of those is set against
// the time of the rest.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { Admin } from "@platformatic/kafka";
import { filter, map } from "rxjs";
import { fileSink } from "../../connectors/files/index.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { type CheckpointStore, defineJob, json, runJob } from "../../runtime/index.ts";
import { openStore } from "../../runtime/open-store.ts";
import { print, spread } from "./report.ts";
import type { Place, StoreKind } from "./store-kinds.ts";

const RECORDS = 400_000;
const RECORDS_PER_BATCH = 10_000;
const MOST_PERCENT = 5;
const isLarge = ({ amount }: Payment) => amount > 50;

interface Payment {
  readonly id: number;
  readonly user: string;
  readonly amount: number;
}

/** Prints a line a store: the median of the rounds, in which the stores take turns. */
export async function measureOverhead(
  kinds: readonly StoreKind[],
  placeOf: (kind: StoreKind) => Place,
  rounds: number,
): Promise<void> {
  const brokers = process.env["KAFKA_BROKERS"]?.split(",");
  if (brokers === undefined) return print("batches are left out: KAFKA_BROKERS is not set");
  const topic = `bench-${randomBytes(4).toString("hex")}`;
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: brokers });
  try {
    await load(admin, brokers, topic);
    const measured = new Map<StoreKind, { recordMs: number; batchMs: number }[]>(kinds.map((kind) => [kind, []]));
    // The first round is not counted: it loads and compiles.
    for (let round = 0; round <= rounds; round++) {
      for (const kind of kinds) {
        const result = await measure(kind, placeOf(kind), brokers, topic);
        if (round > 0) measured.get(kind)?.push(result);
      }
    }
    print(`Batches of ${RECORDS_PER_BATCH} JSON records, Kafka → filter, map → a file: recording beside the rest`);
    for (const [kind, results] of measured) {
      const recordMs = spread(results.map((result) => result.recordMs)).median;
      const batchMs = spread(results.map((result) => result.batchMs)).median;
      const percent = (100 * recordMs) / (batchMs - recordMs);
      const verdict = percent <= MOST_PERCENT ? "ok" : `MORE THAN ${MOST_PERCENT} %`;
      const [append, batch] = [recordMs.toFixed(2), batchMs.toFixed(2)];
      print(`  ${kind.name.padEnd(9)} ${append} ms of ${batch} ms a batch: ${percent.toFixed(1)} % ${verdict}`);
    }
  } finally {
    await admin.deleteTopics({ topics: [topic] });
    await admin.close();
  }
}

/** Medians over one run of the job, in ms. */
async function measure(kind: StoreKind, place: Place, brokers: readonly string[], topic: string) {
  mkdirSync(place.dir, { recursive: true });
  const appends: number[] = [];
  const store = timedStore(await openStore(kind.url(place), { baseDir: place.dir }), appends);
  const batches: number[] = [];
  let lastMs: number | undefined;
  const job = defineJob({
    name: place.name,
    source: kafkaSource({ brokers, topics: topic, value: json<Payment>(), mirrorOffsetsToGroup: false }),
    pipeline: (records$) =>
      records$.pipe(
        map(({ value }) => value),
        filter(isLarge),
        map(({ id, user, amount }) => ({ id, user, amount })),
      ),
    sink: fileSink({ dir: "out" }),
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
      if (lastMs === undefined) appends.length = 0;
      else batches.push(nowMs - lastMs);
      lastMs = nowMs;
    },
  });
  await store[Symbol.asyncDispose]();
  return { recordMs: spread(appends).median, batchMs: spread(batches).median };
}

/** The store itself, whose writers note how long their appends take. */
function timedStore(store: CheckpointStore, appends: number[]): CheckpointStore {
  const takeOver = store.takeOver.bind(store);
  store.takeOver = async (...asked) => {
    const writer = await takeOver(...asked);
    const append = writer.append.bind(writer);
    writer.append = async (...appended) => {
      const began = performance.now();
      try {
        return await append(...appended);
      } finally {
        appends.push(performance.now() - began);
      }
    };
    return writer;
  };
  return store;
}

async function load(admin: Admin, brokers: readonly string[], topic: string): Promise<void> {
  await admin.createTopics({ topics: [topic], partitions: 4, replicas: 1 });
  await runJob(
    defineJob({
      name: topic,
      source: memorySource({ records: Array.from({ length: RECORDS }, (_, id) => id) }),
      pipeline: (records$) => records$.pipe(map(({ value: id }) => paymentOf(id))),
      sink: kafkaSink({ brokers: [...brokers], topic, key: "user" }),
      checkpoint: "memory:",
      trigger: "available-now",
      maxOffsetsPerBatch: 100_000,
    }),
  );
}

/** About 100 bytes of JSON. */
function paymentOf(id: number) {
  const amount = ((id * 31) % 100_000) / 100;
  const user = `u${(id * 7919) % 100_000}`;
  return { id, user, amount, ts: 1_700_000_000_000 + id, status: "new", item: `sku-${id % 10_000}`, q: id % 7 };
}
