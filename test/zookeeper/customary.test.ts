// The customary offsets of the ZooKeeper store, read back by somebody else's tools: zkCli, and the driver itself.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ZooKeeperStoreOptions, zookeeperStore } from "../../checkpoints/zookeeper.ts";
import {
  CheckpointMissingError,
  type CheckpointStore,
  ConfigError,
  type LogWriter,
  type Position,
} from "../../runtime/index.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { runZkCli } from "../servers/zookeeper/run-zk-cli.ts";
import { newName, type TestEnsemble, testEnsemble } from "./ensemble.ts";

const { signal } = new AbortController();

let ensemble: TestEnsemble;
beforeAll(async () => {
  ensemble = await testEnsemble();
}, serverStartTimeoutMs);
afterAll(() => ensemble[Symbol.dispose]());

interface Opened extends AsyncDisposable {
  readonly store: CheckpointStore;
  readonly writer: LogWriter;
  readonly job: string;
  /** `/consumers/<group>/offsets`. */
  readonly path: string;
}

/** A store and a job on it that is taken over; `lineage` as the runtime gives it. */
async function open(options: Partial<ZooKeeperStoreOptions> = {}, job = newName("job"), lineage?: string) {
  const store = zookeeperStore({ servers: ensemble.servers, root: ensemble.root, ...options });
  try {
    const writer = await store.takeOver(job, next("begin"), signal, lineage ?? `lineage of ${job}`);
    const group = typeof options.group === "string" ? options.group : job;
    const path = `/consumers/${group}/offsets`;
    const close = async () => await store[Symbol.asyncDispose]();
    return { store, writer, job, path, [Symbol.asyncDispose]: close } satisfies Opened;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

function positions(topic: string, offsets: Readonly<Record<number, number>>): Position[] {
  return Object.entries(offsets).map(([partition, offset]) => ({
    topic,
    partition: Number(partition),
    offset: BigInt(offset),
    mark: "a mark of the source",
  }));
}

describe("what people's tools see", () => {
  it("is one node a partition, with decimal digits and nothing else", async () => {
    await using opened = await open();
    const { writer, path } = opened;
    const all = [...positions("orders", { 0: 5, 1: 0, 2: 123456789012 }), ...positions("payments", { 0: 7 })];
    expect(await writer.append(1n, entry("one"), all, signal)).toEqual({ is: "appended" });
    expect(await runZkCli(ensemble.servers, ["ls", `${path}/orders`], signal)).toEqual(["[0, 1, 2]"]);
    expect(await runZkCli(ensemble.servers, ["get", `${path}/orders/2`], signal)).toEqual(["123456789012"]);
    expect(await ensemble.names(path)).toEqual(["orders", "payments"]);
    expect(await ensemble.text(`${path}/orders/0`)).toBe("5");
    expect(await ensemble.text(`${path}/orders/1`)).toBe("0");
    expect(await ensemble.text(`${path}/payments/0`)).toBe("7");
  });

  it("moves with each completion, and what has not changed is not written again", async () => {
    await using opened = await open();
    const { writer, path } = opened;
    await writer.append(1n, entry("one"), positions("t", { 0: 5, 1: 5 }), signal);
    await writer.append(2n, entry("two"), [], signal);
    await writer.append(3n, entry("three"), positions("t", { 0: 9, 1: 5, 2: 1 }), signal);
    expect([await ensemble.text(`${path}/t/0`), await ensemble.version(`${path}/t/0`)]).toEqual(["9", 1]);
    expect([await ensemble.text(`${path}/t/1`), await ensemble.version(`${path}/t/1`)]).toEqual(["5", 0]);
    expect([await ensemble.text(`${path}/t/2`), await ensemble.version(`${path}/t/2`)]).toEqual(["1", 0]);
    // The next term knows what is there.
    await using again = await open({}, opened.job);
    await again.writer.append(5n, entry("five"), positions("t", { 0: 9, 1: 6, 2: 1 }), signal);
    expect([await ensemble.text(`${path}/t/0`), await ensemble.version(`${path}/t/0`)]).toEqual(["9", 1]);
    expect([await ensemble.text(`${path}/t/1`), await ensemble.version(`${path}/t/1`)]).toEqual(["6", 1]);
  });

  it("has no gap from partition 0: a number that the job does not know of is 0, until it is more", async () => {
    await using opened = await open();
    const { writer, path } = opened;
    await writer.append(1n, entry("one"), positions("t", { 1: 10, 4: 40 }), signal);
    const texts = async () => await Promise.all([0, 1, 2, 3, 4].map((each) => ensemble.text(`${path}/t/${each}`)));
    expect(await ensemble.names(`${path}/t`)).toEqual(["0", "1", "2", "3", "4"]);
    expect(await texts()).toEqual(["0", "10", "0", "0", "40"]);
    await writer.append(2n, entry("two"), positions("t", { 1: 10, 2: 20, 4: 40 }), signal);
    expect(await texts()).toEqual(["0", "10", "20", "0", "40"]);
    await writer.append(3n, entry("three"), positions("t", { 1: 11, 4: 41 }), signal);
    expect(await texts()).toEqual(["0", "11", "20", "0", "41"]);
  });

  it("is not filled up to a partition number that is out of all proportion", async () => {
    await using opened = await open();
    await opened.writer.append(1n, entry("one"), positions("t", { 0: 1, 2000000000: 2 }), signal);
    expect(await ensemble.names(`${opened.path}/t`)).toEqual(["0", "2000000000"]);
  });

  it("has topics of every character, each a node of its own below the group's", async () => {
    await using opened = await open();
    const topics = ["a.b_c-D9", "a/b", "../up", "..", "a b", "ä\u0000\n", "a%2Fb", "x".repeat(249)].sort();
    const all = topics.flatMap((topic, at) => positions(topic, { 0: at }));
    await opened.writer.append(1n, entry("one"), all, signal);
    const names = (await ensemble.names(opened.path)) ?? [];
    expect(names).toHaveLength(topics.length);
    expect(names).toEqual(expect.arrayContaining(["a.b_c-D9", "a%2Fb", "a%252Fb", "%2E%2E", "..%2Fup", "a%20b"]));
    const texts = await Promise.all(names.map((name) => ensemble.text(`${opened.path}/${name}/0`)));
    expect(texts.map(Number).sort((a, b) => a - b)).toEqual(topics.map((_, at) => at));
  });

  it("holds 1,000 partitions of the longest topic beside the largest entry", async () => {
    await using opened = await open();
    const { store, writer, path } = opened;
    const topic = "t".repeat(249);
    const bytes = new Uint8Array(randomBytes(store.maxEntryBytes));
    const all = (offset: number) =>
      positions(topic, Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [at, offset])));
    for (const seq of [1n, 2n]) {
      const large = { token: entry("").token, bytes };
      expect(await writer.append(seq, large, all(Number(seq)), signal)).toEqual({ is: "appended" });
    }
    expect(await ensemble.names(`${path}/${topic}`)).toHaveLength(1_000);
    expect(await ensemble.text(`${path}/${topic}/999`)).toBe("2");
  });

  it("says what to do when there are more partitions than fit in a request", async () => {
    await using opened = await open();
    const all = positions("t", Object.fromEntries(Array.from({ length: 12_000 }, (_, at) => [at, 1])));
    const failure = await failureOf(opened.writer.append(1n, entry("one"), all, signal));
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure).toMatchObject({
      message: expect.stringContaining("12000 partitions"),
      hint: expect.stringContaining("group: false"),
    });
    await using quiet = await open({ group: false });
    expect(await quiet.writer.append(1n, entry("one"), all, signal)).toEqual({ is: "appended" });
    expect(await ensemble.names(`/consumers/${quiet.job}`)).toBeUndefined();
  });

  it("is put right when somebody has removed it", async () => {
    await using opened = await open();
    const { writer, path, job } = opened;
    await writer.append(1n, entry("one"), positions("t", { 0: 1, 1: 1 }), signal);
    await ensemble.removeAll(`/consumers/${job}`);
    expect(await writer.append(2n, entry("two"), positions("t", { 0: 2, 1: 1 }), signal)).toEqual({ is: "appended" });
    expect([await ensemble.text(`${path}/t/0`), await ensemble.text(`${path}/t/1`)]).toEqual(["2", "1"]);
    await ensemble.removeAll(`${path}/t/1`);
    expect(await writer.append(3n, entry("three"), positions("t", { 0: 2, 1: 3 }), signal)).toEqual({ is: "appended" });
    expect(await ensemble.text(`${path}/t/1`)).toBe("3");
  });
});

describe("whose offsets they are", () => {
  it("are never moved back by a writer that was overtaken", async () => {
    await using stale = await open();
    await stale.writer.append(1n, entry("one"), positions("t", { 0: 10 }), signal);
    await using current = await open({}, stale.job);
    await current.writer.append(3n, entry("three"), positions("t", { 0: 30 }), signal);
    for (const seq of [2n, 3n, 4n]) {
      const answer = await stale.writer.append(seq, entry("stale"), positions("t", { 0: 11 }), signal);
      expect(answer.is).not.toBe("appended");
    }
    expect(await ensemble.text(`${stale.path}/t/0`)).toBe("30");
  });

  it("are left alone where another program keeps its own, unless they are to be adopted", async () => {
    const group = newName("group");
    await ensemble.make(`/consumers/${group}/offsets/t/0`, "77");
    const failure = await failureOf(open({ group }));
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure).toMatchObject({
      message: expect.stringContaining(`/consumers/${group}/offsets) are those of another program`),
      hint: expect.stringContaining("adoptGroup"),
    });
    expect(await ensemble.text(`/consumers/${group}/offsets/t/0`)).toBe("77");
    await using adopting = await open({ group, adoptGroup: true });
    await adopting.writer.append(1n, entry("one"), positions("t", { 0: 80 }), signal);
    expect(await ensemble.text(`/consumers/${group}/offsets/t/0`)).toBe("80");
    // They are its own from now on.
    await using again = await open({ group }, adopting.job);
    expect(again.job).toBe(adopting.job);
    const other = await failureOf(open({ group }));
    expect(other).toMatchObject({ message: expect.stringContaining(`those of the job ${ensemble.root}/`) });
  });

  it("show that a job had a checkpoint when that is gone: it is not begun anew by itself", async () => {
    await using opened = await open();
    const { store, writer, job, path } = opened;
    await writer.append(1n, entry("one"), positions("t", { 0: 10 }), signal);
    await ensemble.removeAll(`${ensemble.root}/${job}`);
    expect(await failureOf(writer.append(2n, entry("two"), [], signal))).toBeInstanceOf(CheckpointMissingError);
    expect(await store.bounds(job, signal)).toBeUndefined();
    for (const options of [{}, { adoptGroup: true }]) {
      const failure = await failureOf(open(options, job, "another lineage"));
      expect(failure).toBeInstanceOf(CheckpointMissingError);
      expect(failure).toMatchObject({ hint: expect.stringContaining(`deleteall ${path}`) });
    }
    expect((await store.examine(signal)).join("\n")).toContain(
      `the checkpoint of ${job} is gone from ${ensemble.root}`,
    );
    await runZkCli(ensemble.servers, ["deleteall", path], signal);
    await using anew = await open({}, job, "another lineage");
    expect(await store.bounds(anew.job, signal)).toEqual({ first: 0n, head: 0n });
  });

  it("do not keep a copy from coming back that has the same lineage", async () => {
    await using opened = await open();
    await opened.writer.append(1n, entry("one"), positions("t", { 0: 10 }), signal);
    await ensemble.removeAll(`${ensemble.root}/${opened.job}`);
    await using back = await open({}, opened.job);
    expect(await back.writer.append(1n, entry("one"), positions("t", { 0: 11 }), signal)).toEqual({ is: "appended" });
    expect(await ensemble.text(`${opened.path}/t/0`)).toBe("11");
  });

  it.each(["", "a/b", ".", "..", "a b", "x".repeat(256)])("cannot be those of a group called %j", (group) => {
    expect(() => zookeeperStore({ servers: ensemble.servers, group })).toThrow(ConfigError);
  });
});

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
