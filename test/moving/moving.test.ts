// One job, moved from store to store between its batches and at last back to where it began: each record is written
// once, its batches keep their numbers, a batch in hand moves along, and the place that it left is refused each time.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { map, type Observable } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fileSink } from "../../connectors/files/index.ts";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { batches, copyCheckpoint, defineJob, formatRange, runJob, text } from "../../runtime/index.ts";
import { type TestFolder, testFolder } from "../hdfs/folder.ts";
import { BrokerTopics, message } from "../kafka/broker-topics.ts";
import { newName, type TestDatabase, testDatabase } from "../postgres/database.ts";
import { hbaseServer, kafkaServer, serverStartTimeoutMs, zookeeperServer } from "../servers/for-tests.ts";

const signal = AbortSignal.timeout(600_000);
const PARTITIONS = 2;
const RECORDS_EACH_TIME = 10;
const OFFSETS_A_BATCH = 6;

let bootstrap: string;
let topics: BrokerTopics;
let database: TestDatabase;
let hdfs: TestFolder;
/** In the order in which the job goes through them. */
let places: readonly string[];
const baseDir = mkdtempSync(join(tmpdir(), "tidemark-moving-"));
beforeAll(async () => {
  const [kafka, zookeeper, hbase] = await Promise.all([kafkaServer(), zookeeperServer(), hbaseServer()]);
  ({ bootstrap } = kafka);
  topics = new BrokerTopics(bootstrap);
  [database, hdfs] = await Promise.all([testDatabase(), testFolder()]);
  places = [
    "file:.tidemark",
    `zookeeper://${zookeeper.servers}/${newName("root")}`,
    `hbase://${hbase.zookeeper}/${newName("tidemark")}`,
    hdfs.urlOf("checkpoints"),
    `kafka://${bootstrap}/${newName("entries")}`,
    database.url,
    "file:.tidemark",
  ];
}, serverStartTimeoutMs);
afterAll(async () => {
  rmSync(baseDir, { recursive: true, force: true });
  await Promise.all([topics, database, hdfs].map((used) => used?.[Symbol.asyncDispose]()));
});

function movingJob(name: string, topic: string, failsAt?: string) {
  return defineJob({
    ...({ name, trigger: "available-now", maxOffsetsPerBatch: OFFSETS_A_BATCH } as const),
    source: kafkaSource({ brokers: [bootstrap], topics: topic, value: text() }),
    pipeline: (records$: Observable<{ value: string }>) =>
      records$.pipe(
        map(({ value }) => {
          if (value === failsAt) throw new Error(`failing at ${value}`);
          return { value };
        }),
      ),
    sink: fileSink({ dir: "out", format: "ndjson" }),
  });
}

function written(): string[] {
  const files = readdirSync(join(baseDir, "out")).filter((name) => /^\d.*\.ndjson$/.test(name));
  return files.flatMap((name) => {
    const lines = readFileSync(join(baseDir, "out", name), "utf8")
      .trimEnd()
      .split("\n");
    return lines.map((line) => (JSON.parse(line) as { value: string }).value);
  });
}

it("goes through every store there is, and back, with each record exactly once", { timeout: 180_000 }, async () => {
  const topic = await topics.create(PARTITIONS);
  const name = newName("moving").replaceAll("_", "-");
  const expected: string[] = [];
  for (const [at, checkpoint] of places.entries()) {
    const fresh = Array.from({ length: RECORDS_EACH_TIME }, (_, record) => `${at}.${record}`);
    await topics.produce(
      topic,
      fresh.map((value, record) => message(record % PARTITIONS, value)),
    );
    expected.push(...fresh);
    const failing = movingJob(name, topic, `${at}.9`);
    // All but the last place are left with a batch in hand, whose record cannot be processed for now.
    const isLast = at === places.length - 1;
    const run = runJob(isLast ? movingJob(name, topic) : failing, { baseDir, checkpoint, signal });
    if (isLast) {
      await run;
      break;
    }
    await expect(run, checkpoint).rejects.toThrow(`failing at ${at}.9`);
    const [inHand] = await batches(failing, { baseDir, checkpoint });
    expect(inHand).toMatchObject({ state: "planned" });

    const to = places[at + 1] ?? "";
    const before = await batches(failing, { baseDir, checkpoint });
    await copyCheckpoint({ jobName: name, from: checkpoint, to, baseDir, signal });
    expect(await batches(failing, { baseDir, checkpoint: to }), to).toEqual(before);
    await expect(runJob(failing, { baseDir, checkpoint, signal }), checkpoint).rejects.toThrow(/has moved to/);
  }
  expect(written().sort()).toEqual(expected.sort());
  const history = (await batches(movingJob(name, topic), { baseDir, checkpoint: "file:.tidemark" })).reverse();
  expect(history.map(({ batchId }) => batchId)).toEqual(history.map((_, index) => index));
  expect(new Set(history.map(({ lineageId }) => lineageId)).size).toBe(1);
  const ends = new Map<string, string>();
  for (const range of history.flatMap(({ ranges }) => ranges)) {
    const key = `${range.topic}:${range.partition}`;
    expect(`${range.fromOffset}`, formatRange(range)).toBe(ends.get(key) ?? "0");
    ends.set(key, `${range.untilOffset}`);
  }
});
