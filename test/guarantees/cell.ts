// One cell of the matrix: a job from Kafka to a sink with its checkpoint in a store, killed at a point and started
// again, until it has done all there is. Says what the second run found of the batch that the first had in hand.
import { fileURLToPath } from "node:url";
import { JobProcess } from "../crash/job-process.ts";
import { PARTITIONS, problemsOf, recordAt } from "../crash/kafka-rows.ts";
import { BrokerTopics, message } from "../kafka/broker-topics.ts";
import type { JobSettings } from "./job.ts";
import { AMID, batchKilledAt, jointPoints, type Point, points } from "./points.ts";
import { type SinkCase, sinks } from "./sinks.ts";
import { type StoreCase, stores } from "./stores.ts";
import type { Where } from "./where.ts";

const JOB = fileURLToPath(new URL("job.ts", import.meta.url));
const PER_PARTITION = 225;
const RECORDS = PER_PARTITION * PARTITIONS;
const OFFSETS_PER_BATCH = 200;
/** Well inside of the second batch of a partition, whose share of a batch is about a fourth. */
const MID_READ_SEQ = Math.round((1.5 * OFFSETS_PER_BATCH) / PARTITIONS);

/** What the run after the kill did first: ran the batch, found its rows with the sink, or went on with the next. */
export type Outcome = "runs" | "found" | "next";

export interface Cell {
  readonly sink: SinkCase;
  readonly store: StoreCase;
  readonly point: Point;
}

/** The points of a route that differ. */
export function pointsOf({ sink, store }: Pick<Cell, "sink" | "store">): readonly Point[] {
  if (sink.joins.includes(store.name)) return jointPoints;
  return sink.halfway === undefined ? points.filter((point) => point !== AMID) : points;
}

/** Every sink with every store at every point, in the order of the table. */
export const cells: readonly Cell[] = sinks.flatMap((sink) =>
  stores.flatMap((store) => pointsOf({ sink, store }).map((point) => ({ sink, store, point }))),
);

/**
 * A topic with the input: some of it written without a transaction, some in one; an aborted one lies between, so that
 * offsets have gaps.
 */
export async function loadInput(bootstrap: string): Promise<string> {
  await using topics = new BrokerTopics(bootstrap);
  const topic = await topics.create(PARTITIONS);
  const messages = (from: number, until: number) =>
    Array.from({ length: PARTITIONS }, (_, partition) =>
      Array.from({ length: until - from }, (_, index) =>
        message(partition, JSON.stringify(recordAt(partition, from + index))),
      ),
    ).flat();
  const half = Math.floor(PER_PARTITION / 2);
  await topics.produce(topic, messages(0, half));
  await topics.transaction(topic, messages(half, half + 5), "abort");
  await topics.transaction(topic, messages(half, PER_PARTITION), "commit");
  return topic;
}

/** Plays the cell. @throws Error the output is not exactly the input, or a run did not end as it must */
export async function play({ sink, store, point }: Cell, where: Where, input: string): Promise<Outcome> {
  await sink.prepare(where);
  const settings: JobSettings = {
    ...where,
    sink: sink.name,
    store: store.name,
    input,
    maxOffsetsPerBatch: OFFSETS_PER_BATCH,
    midReadSeq: MID_READ_SEQ,
  };
  await using killed = start({ ...settings, killAt: point });
  const { signal } = await killed.ended();
  if (signal !== "SIGKILL") throw new Error(`it did not come to the point ${point}:\n${killed.stderr}`);
  await using again = start(settings);
  const { code } = await again.ended();
  if (code !== 0) throw new Error(`the second run ended with ${code}:\n${again.stderr}`);
  const problems = problemsOf(await sink.rows(where, RECORDS), PER_PARTITION);
  if (problems.length > 0) throw new Error(`${problems.join("; ")}\n${again.stderr}`);
  return outcomeOf(again.stderr, batchKilledAt(point));
}

function start(settings: JobSettings): JobProcess {
  return new JobProcess(JOB, { env: { GUARANTEES_JOB: JSON.stringify(settings) } });
}

function outcomeOf(stderr: string, killedBatchId: number): Outcome {
  const [, batchId, what] = /^@begin (\d+) (runs|found)$/m.exec(stderr) ?? [];
  if (batchId === `${killedBatchId}`) return what === "found" ? "found" : "runs";
  if (batchId === `${killedBatchId + 1}` && what === "runs") return "next";
  throw new Error(`after the kill in batch ${killedBatchId} it began ${batchId} (${what}):\n${stderr}`);
}
