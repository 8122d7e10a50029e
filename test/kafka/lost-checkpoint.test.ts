// A job whose checkpoint is gone is told from a new one by its consumer group, on the stores that remember nothing
// outside the log: it is refused with what to type, and never begins anew in silence.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { map } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileStore } from "../../checkpoints/file.ts";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { memoryStore } from "../../checkpoints/memory.ts";
import { type KafkaSourceOptions, kafkaGroup, kafkaSource } from "../../connectors/kafka/index.ts";
import { memorySink } from "../../connectors/memory/index.ts";
import {
  CheckpointMissingError,
  type CheckpointStore,
  copyCheckpoint,
  defineJob,
  doctor,
  importCheckpoint,
  runJob,
  text,
} from "../../runtime/index.ts";
import { newName as newTable, testCluster } from "../hbase/cluster.ts";
import { newName, testFolder } from "../hdfs/folder.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);
const above = mkdtempSync(join(tmpdir(), "tidemark-lost-"));

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(async () => {
  await topics[Symbol.asyncDispose]();
  rmSync(above, { recursive: true });
});

type GroupOptions = Pick<KafkaSourceOptions<string>, "mirrorOffsetsToGroup" | "adoptGroup">;

/** A topic of three records, and jobs of one name that copy it. */
async function newJob() {
  const topic = await topics.create(1);
  const produce = (...values: string[]) =>
    topics.produce(
      topic,
      values.map((value) => message(0, value)),
    );
  await produce("a", "b", "c");
  const name = newName("lost");
  const sink = memorySink<string>();
  const warnings: string[] = [];
  const job = (checkpoint: CheckpointStore, options: GroupOptions = {}) =>
    defineJob({
      ...({ name, checkpoint, trigger: "available-now", sink } as const),
      source: kafkaSource({ brokers: [bootstrap], topics: topic, value: text(), ...options }),
      pipeline: (records$) => records$.pipe(map(({ value }) => value)),
    });
  const onEvent = (event: { type: string; message?: string }) => {
    if (event.type === "warning") warnings.push(event.message ?? "");
  };
  const run = (checkpoint: CheckpointStore, options: GroupOptions = {}) =>
    runJob(job(checkpoint, options), { signal, onEvent });
  return { name, topic, sink, warnings, produce, job, run };
}

const newFolderStore = () => fileStore({ dir: newName("store"), baseDir: above });

interface Lost extends AsyncDisposable {
  readonly before: CheckpointStore;
  /** The same place, without anything of the job. */
  wiped(): Promise<CheckpointStore>;
}

const kinds: [string, () => Promise<Lost>][] = [
  [
    "file",
    async () => {
      const dir = newName("store");
      const open = () => fileStore({ dir, baseDir: above });
      const wiped = async () => {
        rmSync(join(above, dir), { recursive: true });
        return open();
      };
      return { before: open(), wiped, [Symbol.asyncDispose]: async () => {} };
    },
  ],
  [
    "hdfs",
    async () => {
      const folder = await testFolder();
      const before = hdfsStore({ url: folder.urlOf("store") });
      const wiped = async () => {
        await folder.ask("DELETE", `${folder.path}/store`, { op: "DELETE", recursive: "true" });
        return before;
      };
      return { before, wiped, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
    },
  ],
  [
    "hbase",
    async () => {
      const cluster = await testCluster();
      const store = () => hbaseStore({ ...cluster, table: newTable("tidemark"), offsetsTable: newTable("offsets") });
      return {
        before: store(),
        wiped: async () => store(),
        [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
      };
    },
  ],
];

describe.each(kinds)("a %s store that was wiped between two runs", (_, lost) => {
  it(
    "refuses the job, which begins anew only when its group is deleted as the hint says",
    async () => {
      await using kind = await lost();
      await using before = kind.before;
      const { name, job, run, sink, produce, warnings } = await newJob();
      const { lineageId } = await run(before);
      await produce("d");
      await run(before);
      expect(sink.rows).toEqual(["a", "b", "c", "d"]);

      await using store = await kind.wiped();
      const refused = await run(store).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(CheckpointMissingError);
      const [told, hint] = [
        (refused as CheckpointMissingError).message,
        (refused as CheckpointMissingError).hint ?? "",
      ];
      for (const part of [store.url, `the consumer group "${name}"`, lineageId]) expect(told).toContain(part);
      expect(hint).toContain(`--bootstrap-server ${bootstrap} --delete --group ${name}`);
      expect(hint).toContain("adoptGroup: true");
      expect(await doctor(job(store))).toContainEqual({ check: "checkpoint", status: "problem", detail: told, hint });
      // Nothing was begun, and nothing written.
      expect(await store.bounds(name, signal)).toBeUndefined();
      expect(sink.rows).toHaveLength(4);
      expect(warnings).toEqual([]);

      await topics.admin.deleteGroups({ groups: [name] });
      await run(store);
      expect(sink.rows).toEqual(["a", "b", "c", "d", "a", "b", "c", "d"]);
    },
    serverStartTimeoutMs,
  );
});

it("a job whose source adopts the group, or shows nothing there, begins anew", async () => {
  const { run, sink } = await newJob();
  await run(newFolderStore());
  await run(newFolderStore(), { mirrorOffsetsToGroup: false });
  await run(newFolderStore(), { adoptGroup: true });
  expect(sink.rows).toHaveLength(9);
});

it("a store in memory forgets by design", async () => {
  const { run, sink, warnings } = await newJob();
  await run(memoryStore());
  await run(memoryStore());
  expect(sink.rows).toHaveLength(6);
  expect(warnings).toEqual([expect.stringContaining("does not show this job's offsets")]);
});

it("offsets of another program say nothing about a checkpoint: the job begins, and warns", async () => {
  const { name, topic, run, sink, warnings } = await newJob();
  const strange = [{ name: topic, partitionOffsets: [{ partition: 0, offset: 2n }] }];
  await topics.admin.alterConsumerGroupOffsets({ groupId: name, topics: strange });
  await run(newFolderStore());
  expect(sink.rows).toEqual(["a", "b", "c"]);
  expect(warnings).toEqual([expect.stringContaining("did not write")]);
});

it("a checkpoint that was imported, and one that was copied, go on where they stand", async () => {
  const { name, run, job, sink, produce } = await newJob();
  const [first, second, third] = [newFolderStore(), newFolderStore(), newFolderStore()];
  await run(first);
  await produce("d");
  await copyCheckpoint({ jobName: name, from: first, to: second, signal });
  await run(second);
  // On purpose: where the group stands, though its offsets are those of a lineage that this store does not have.
  await importCheckpoint(job(third), {
    from: kafkaGroup({ brokers: [bootstrap], groupId: name }),
    to: third,
    execute: true,
    signal,
  });
  await produce("e");
  await run(third);
  expect(sink.rows).toEqual(["a", "b", "c", "d", "e"]);
});
