// Moving in from ZooKeeper: the offsets that other programs keep below /consumers, written here by the bare driver and
// by ZooKeeper's own shell, are where a new job starts.
import { map, type Observable } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import { zookeeperConsumers } from "../../connectors/zookeeper/index.ts";
import { savedPositionsPlace } from "../../runtime/cli/saved-positions-place.ts";
import { defineJob, importCheckpoint, runJob } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runZkCli } from "../servers/zookeeper/run-zk-cli.ts";
import { newName, type TestEnsemble, testEnsemble } from "../zookeeper/ensemble.ts";

const signal = AbortSignal.timeout(300_000);

let ensemble: TestEnsemble;
beforeAll(async () => {
  ensemble = await testEnsemble();
}, serverStartTimeoutMs);
afterAll(() => ensemble[Symbol.dispose]());

/** A group's offsets, by topic and partition, as they are written. */
async function groupWith(offsets: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<string> {
  const group = `/consumers/${newName("group")}`;
  await ensemble.make(`${group}/offsets`, "");
  for (const [topic, partitions] of Object.entries(offsets)) {
    await ensemble.make(`${group}/offsets/${topic}`, "");
    for (const [partition, text] of Object.entries(partitions)) {
      await ensemble.make(`${group}/offsets/${topic}/${partition}`, "");
      await ensemble.set(`${group}/offsets/${topic}/${partition}`, text);
    }
  }
  return group;
}

async function read(group: string) {
  const place = await savedPositionsPlace(`zookeeper://${ensemble.servers}${group}`);
  return await place.read(signal);
}

it("a job goes on where the group stopped", async () => {
  const group = await groupWith({ memory: { 0: "3", 1: "1" } });
  const sink = memorySink<number>();
  const job = defineJob({
    ...({ name: "moved-in", checkpoint: memoryStore(), trigger: "available-now", sink } as const),
    source: memorySource({
      partitions: [
        [0, 1, 2, 3, 4],
        [10, 11],
      ],
    }),
    pipeline: (records$: Observable<{ value: number }>) => records$.pipe(map(({ value }) => value)),
  });
  const from = zookeeperConsumers(`zookeeper://${ensemble.servers}${group}`);
  const { from: shown } = await importCheckpoint(job, { from, execute: true, signal });
  expect(shown).toBe(`zookeeper://${ensemble.servers}${group}`);
  await runJob(job, { signal });
  expect(sink.rows).toEqual([3, 4, 11]);
});

it("a job with the group's own name takes its offsets over, when told to", async () => {
  const group = await groupWith({ t: { 0: "3", 1: "1" } });
  const name = group.slice("/consumers/".length).replaceAll("_", "-");
  const taken = `/consumers/${name}`;
  await ensemble.make(`${taken}/offsets/t/0`, "");
  await ensemble.set(`${taken}/offsets/t/0`, "3\n");
  const from = zookeeperConsumers(`zookeeper://${ensemble.servers}${taken}`);
  const to = `zookeeper://${ensemble.servers}${ensemble.root}`;
  const refused = importCheckpoint(name, { from, to, execute: true, signal });
  await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining("?adoptGroup=true") });
  await importCheckpoint(name, { from, to: `${to}?adoptGroup=true`, execute: true, signal });
  expect(await ensemble.text(`${taken}/offsets/t/0`)).toBe("3");
  // From now on they are the job's own.
  await expect(importCheckpoint(name, { from, to, execute: true, signal })).rejects.toThrow(/already has a checkpoint/);
});

it("reads several topics, partitions that are missing, and digits with white space around them", async () => {
  const group = await groupWith({ "a.b_c-D": { 0: "7\n", 12: " 9223372036854775807\r\n" }, t: { 2: "0" }, empty: {} });
  const { positions, nextBatchId, inFlight } = await read(group);
  expect({ nextBatchId, inFlight }).toEqual({ nextBatchId: 0, inFlight: undefined });
  expect([...positions].sort((a, b) => a.partition - b.partition)).toEqual([
    { topic: "a.b_c-D", partition: 0, offset: 7n },
    { topic: "t", partition: 2, offset: 0n },
    { topic: "a.b_c-D", partition: 12, offset: 9223372036854775807n },
  ]);
});

it("reads more partitions than are asked for at once", async () => {
  const offsets = Object.fromEntries(Array.from({ length: 230 }, (_, partition) => [partition, `${partition * 3}`]));
  const { positions } = await read(await groupWith({ t: offsets }));
  expect(positions).toHaveLength(230);
  expect(positions.every(({ partition, offset }) => offset === BigInt(partition * 3))).toBe(true);
});

it("reads what ZooKeeper's own shell has set", { timeout: 60_000 }, async () => {
  const group = await groupWith({ t: { 0: "1" } });
  await runZkCli(ensemble.servers, ["set", `${group}/offsets/t/0`, "4711"], signal);
  expect((await read(group)).positions).toEqual([{ topic: "t", partition: 0, offset: 4711n }]);
});

it("refuses what is no offset, no partition, and no group", async () => {
  for (const said of ["", "-1", "12x", '{"offset":12}', "99999999999999999999", "1 2"]) {
    await expect(read(await groupWith({ t: { 0: said } }))).rejects.toThrow(
      /offsets\/t\/0 in ZooKeeper is not an offset/,
    );
  }
  await expect(read(await groupWith({ t: { "00": "1" } }))).rejects.toThrow(/is no partition's number/);
  await expect(read(`/consumers/${newName("nobody")}`)).rejects.toThrow(
    /there is no node \/consumers\/nobody.*\/offsets/,
  );
});

it("refuses a group whose consumers are registered", async () => {
  const group = await groupWith({ t: { 0: "1" } });
  await ensemble.make(`${group}/ids/consumer-1`, "{}");
  await expect(read(group)).rejects.toThrow(/is in use: 1 consumers are registered/);
});
