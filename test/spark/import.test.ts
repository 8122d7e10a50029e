// Checkpoints that a real Spark made (test/fixtures/spark/README.md), imported beside the same records on a broker.
// What Spark had completed and what the job then writes are together every record, once; and the batch that Spark left
// in flight runs first, over the very ranges that Spark had planned.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { map, type Observable } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { memorySink } from "../../connectors/memory/index.ts";
import { type CheckpointFolder, sparkCheckpoint } from "../../connectors/spark/index.ts";
import { batches, defineJob, formatRange, importCheckpoint, json, runJob } from "../../runtime/index.ts";
import { BrokerTopics, type Message, message } from "../kafka/broker-topics.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { renamedFolder } from "./renamed-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/spark/", import.meta.url));
const signal = AbortSignal.timeout(600_000);
/** Records that come after Spark was stopped, in each partition. */
const LATER = 3;

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

/** A fixture under topics of this run, so that tests on one broker do not meet. */
function fixture(name: string) {
  const suffix = randomBytes(4).toString("hex");
  const rename = (text: string) => text.replaceAll(/-(payments|refunds)"/g, `-$1-${suffix}"`);
  const folder = renamedFolder(`${fixtures}${name}/checkpoint`, rename);
  const path = `${fixtures}${name}/written.ndjson`;
  const lines = existsSync(path) ? rename(readFileSync(path, "utf8")).trimEnd().split("\n") : [];
  const written = lines.map((line) => {
    const [, topic, partition, offset] = JSON.parse(line) as [number, string, number, number];
    return `${topic}:${partition}:${offset}`;
  });
  return { folder, written, payments: `${name}-payments-${suffix}`, refunds: `${name}-refunds-${suffix}` };
}

/** The newest offsets that Spark planned, by topic: how many records there were in each partition. */
async function plannedEnds(folder: CheckpointFolder): Promise<Record<string, Record<string, number>>> {
  const newest = Math.max(...((await folder.list("offsets", signal)) ?? []).map(Number).filter(Number.isInteger));
  const bytes = await folder.read(`offsets/${newest}`, 1_000_000, signal);
  const line = new TextDecoder().decode(bytes).split("\n")[2] ?? "";
  return JSON.parse(line.replace(/^0:/, "")) as Record<string, Record<string, number>>;
}

/** The records that Spark had seen, each saying which it is. Returns what all of them say, later ones included. */
async function load(ends: Record<string, Record<string, number>>): Promise<string[]> {
  const all: string[] = [];
  for (const [topic, partitions] of Object.entries(ends)) {
    await topics.create(Object.keys(partitions).length, {}, topic);
    const messages: Message[] = [];
    for (const [partition, end] of Object.entries(partitions)) {
      for (let offset = 0; offset < end + LATER; offset++) {
        const name = `${topic}:${partition}:${offset}`;
        messages.push(message(Number(partition), JSON.stringify(name)));
        all.push(name);
      }
    }
    await topics.produce(topic, messages);
  }
  return all.sort();
}

function copyJob(read: readonly string[]) {
  const sink = memorySink<string>();
  const job = defineJob({
    ...({ name: "moved-in", checkpoint: memoryStore(), trigger: "available-now", sink } as const),
    source: kafkaSource({
      ...{ brokers: [bootstrap], topics: read, value: json<string>(), mirrorOffsetsToGroup: false },
    }),
    pipeline: (records$: Observable<{ value: string }>) => records$.pipe(map(({ value }) => value)),
  });
  return { job, sink };
}

/** The first batch, in ranges of payments (p) and refunds (r); undefined: the job plans it. */
const stopped: readonly [name: string, nextBatchId: number, inFlight: readonly string[] | undefined][] = [
  ["stopped", 3, undefined],
  ["stopped-v2", 3, undefined],
  ["stopped-spark3", 3, undefined],
  ["pruned", 6, undefined],
  ["killed", 2, ["p:0:10-12", "p:1:4-10", "r:0:2-5"]],
  ["killed-v2", 2, ["p:0:10-12", "p:1:4-10", "r:0:2-5"]],
  ["killed-spark3", 2, ["p:0:10-12", "p:1:4-10", "r:0:2-5"]],
  ["grown", 2, ["p:0:10-11", "p:3:0-4"]],
  ["killed-in-first", 0, ["p:0:3-7", "r:0:0-2"]],
  ["killed-in-first-v2", 0, ["p:0:3-7", "r:0:0-2"]],
];

it.each(stopped)("goes on from the checkpoint “%s” without loss or repetition", async (name, nextBatchId, inFlight) => {
  const { folder, written, payments, refunds } = fixture(name);
  const all = await load(await plannedEnds(folder));
  const { job, sink } = copyJob([payments, refunds]);
  const { positions } = await importCheckpoint(job, { from: sparkCheckpoint({ folder }), execute: true, signal });
  expect(await runJob(job, { signal })).toMatchObject({ reason: "nothing-left" });

  // Where a query is told to begin later than at 0, nobody has what lies before.
  const isSkipped = (record: string) => name.startsWith("killed-in-first") && beforeStart(record, positions);
  expect([...written, ...sink.rows].sort()).toEqual(all.filter((record) => !isSkipped(record)));
  const history = await batches(job);
  expect(history.map(({ batchId }) => batchId).reverse()).toEqual(
    inFlight === undefined ? [nextBatchId] : [nextBatchId, nextBatchId + 1],
  );
  if (inFlight === undefined) return;
  const first = history.at(-1)?.ranges.map((range) => formatRange(range).replace(payments, "p").replace(refunds, "r"));
  expect(first).toEqual(inFlight);
});

function beforeStart(record: string, positions: readonly { topic: string; partition: number; offset: bigint }[]) {
  const [topic, partition, offset] = record.split(":");
  const start = positions.find((position) => position.topic === topic && position.partition === Number(partition));
  return start !== undefined && BigInt(offset ?? "") < start.offset;
}

it("takes one topic of several, and what was in flight of it", async () => {
  const { folder, written, payments } = fixture("killed");
  const all = await load(await plannedEnds(folder));
  const { job, sink } = copyJob([payments]);
  const { notes } = await importCheckpoint(job, { from: sparkCheckpoint({ folder }), execute: true, signal });
  expect(notes).toContainEqual(expect.stringMatching(/left out.*killed-refunds/));
  await runJob(job, { signal });
  const ofPayments = (record: string) => record.startsWith(payments);
  expect([...written.filter(ofPayments), ...sink.rows].sort()).toEqual(all.filter(ofPayments));
});

it("refuses another cluster's topic, which is shorter than what Spark had read", async () => {
  const { folder, payments } = fixture("stopped");
  await topics.create(3, {}, payments);
  const { job } = copyJob([payments]);
  const refused = importCheckpoint(job, { from: sparkCheckpoint({ folder }), execute: true, signal });
  await expect(refused).rejects.toThrow(/does not hold what is to be read first.*the log ends at 0 now/);
});

describe("refuses, with the reason,", () => {
  it.each([
    ["stateful", /keeps state/],
    ["two-sources", /the query has 2 sources/],
  ])("the checkpoint “%s”", async (name, reason) => {
    const from = sparkCheckpoint({ folder: `${fixtures}${name}/checkpoint` });
    await expect(from.read(signal)).rejects.toThrow(reason);
  });
});
