// What a job's log looks like in HDFS: few files whatever the number of entries, and whole at every step of rolling
// them together; counted by Hadoop's own tool.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { CheckpointCorruptError, TidemarkError } from "../../runtime/index.ts";
import { collect, entry, heartbeat, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { hdfsCount } from "../servers/hdfs/run-hdfs-shell.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";
import { nameNodeProxy } from "./name-node-proxy.ts";

const { signal } = new AbortController();
let folder: TestFolder;
beforeAll(async () => {
  folder = await testFolder();
}, serverStartTimeoutMs);
afterAll(() => folder[Symbol.asyncDispose]());

async function openJob() {
  const job = newName("files");
  const store = hdfsStore({ url: folder.urlOf("store") });
  const writer = await store.takeOver(job, next("begin"), signal);
  const jobPath = `${folder.path}/store/${job}`;
  return {
    job,
    store,
    writer,
    jobPath,
    async append(from: number, until: number) {
      for (let seq = from; seq < until; seq++) {
        const appended = await writer.append(BigInt(seq), entry(`entry ${seq}`), [], signal);
        expect(appended).toEqual({ is: "appended" });
      }
    },
    async logPath() {
      const [log = ""] = await folder.list(jobPath);
      return `${jobPath}/${log.slice(0, -1)}`;
    },
    async numbers() {
      return (await collect(store.read(job, 0n, signal))).map(({ seq }) => Number(seq));
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

const range = (from: number, until: number) => Array.from({ length: until - from }, (_, at) => from + at);

describe("the files of a log", () => {
  it("are rolled together, read as before, and pruned to the very entry", async () => {
    await using log = await openJob();
    await log.append(1, 80);
    expect(await log.numbers()).toEqual(range(0, 80));
    const path = await log.logPath();
    await log.writer.prune(40n, signal);
    const rolled = (await folder.list(path)).filter((name) => name.endsWith(".entries"));
    expect(rolled).toEqual(["0000000000000032-0000000000000063.entries"]);
    expect(await log.numbers()).toEqual(range(40, 80));
    expect(await log.store.bounds(log.job, signal)).toEqual({ first: 40n, head: 79n });
    await log.writer.beat(heartbeat(0n, {}), signal);
    const { files } = await hdfsCount(folder.server, log.jobPath, signal);
    // One rolled together, those from 64 on, the heartbeat.
    expect(files).toBe(1 + 16 + 1);
  });

  it("are whole when a writer was killed between rolling and removing, and the next one tidies up", async () => {
    await using log = await openJob();
    await log.append(1, 31);
    const path = await log.logPath();
    const singles = (await folder.list(path)).filter((name) => name.endsWith(".entry")).sort();
    const texts = await Promise.all(singles.map((name) => folder.read(`${path}/${name}`)));
    await log.append(31, 32);
    await log.writer[Symbol.asyncDispose]();
    for (const [index, name] of singles.slice(5).entries()) await folder.write(`${path}/${name}`, texts[index + 5]);
    expect(await log.numbers()).toEqual(range(0, 32));
    await using other = hdfsStore({ url: folder.urlOf("store") });
    const writer = await other.takeOver(log.job, next("again"), signal);
    expect(await log.numbers()).toEqual(range(0, 33));
    await writer.prune(1n, signal);
    expect((await folder.list(await log.logPath())).filter((name) => name.endsWith(".entry"))).toHaveLength(1);
    expect(await log.numbers()).toEqual(range(1, 33));
  });

  it("have no hole when a writer is killed while it prunes what another one left half rolled", async () => {
    await using log = await openJob();
    await log.append(1, 31);
    const path = await log.logPath();
    const names = (await folder.list(path)).filter((name) => name.endsWith(".entry")).sort();
    const texts = await Promise.all(names.map((name) => folder.read(`${path}/${name}`)));
    await log.append(31, 32);
    await log.writer[Symbol.asyncDispose]();
    for (const [index, name] of names.entries()) await folder.write(`${path}/${name}`, texts[index]);
    await using proxy = await nameNodeProxy(folder.server.http);
    const url = folder.urlOf("store").replace(new URL(folder.server.http).host, proxy.place);
    await using other = hdfsStore({ url });
    const writer = await other.takeOver(log.job, next("again"), signal);
    await writer.append(33n, entry("entry 33"), [], signal);
    const isRemoved = (name: string) => /0000000003\.entry$|\.entries$/.test(name);
    proxy.decide(({ op, path: name }) => (op !== "DELETE" || isRemoved(name) ? "pass" : "lose-request"));
    await expect(writer.prune(32n, signal)).rejects.toBeInstanceOf(TidemarkError);
    expect(await log.store.bounds(log.job, signal)).toEqual({ first: 32n, head: 33n });
    expect(await log.numbers()).toEqual([32, 33]);
  });

  it("are not touched by a writer that was overtaken, not even if it should roll them together", async () => {
    await using log = await openJob();
    await log.append(1, 31);
    await using other = hdfsStore({ url: folder.urlOf("store") });
    await (await other.takeOver(log.job, next("again"), signal))[Symbol.asyncDispose]();
    const before = await folder.list(await log.logPath());
    expect((await log.writer.append(31n, entry("stale"), [], signal)).is).not.toBe("appended");
    await log.writer.prune(20n, signal);
    await log.writer.beat(heartbeat(0n, {}), signal);
    expect(await folder.list(await log.logPath())).toEqual(before);
    expect(await folder.list(log.jobPath)).toHaveLength(1);
  });

  it("are told as damaged when their bytes are others, with the file's name", async () => {
    await using log = await openJob();
    await log.append(1, 3);
    const path = `${await log.logPath()}/0000000000000001.entry`;
    const text = await folder.read(path);
    await folder.ask("DELETE", path, { op: "DELETE" });
    await folder.write(path, Buffer.from(text.toString("latin1").replace("entry 1\n", "entry 7\n"), "latin1"));
    const failure = await log.numbers().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CheckpointCorruptError);
    expect(String(failure)).toContain(path);
  });

  it("leave no temporary file behind, and those of a killed writer go when the job is taken over", async () => {
    await using log = await openJob();
    const left = `.tmp-${log.job}-${"0".repeat(32)}`;
    const others = `.tmp-${log.job}-2-${"0".repeat(32)}`;
    for (const name of [left, others]) await folder.write(`${folder.path}/store/${name}`, Buffer.from("half"));
    await log.append(1, 5);
    await using other = hdfsStore({ url: folder.urlOf("store") });
    await other.takeOver(log.job, next("again"), signal);
    const names = await folder.list(`${folder.path}/store`);
    expect(names.filter((name) => name.startsWith(".tmp-") && name.includes(log.job))).toEqual([others]);
  });
});

describe.skipIf(process.env["NIGHTLY"] === undefined)("10,000 batches", () => {
  it("leave at most 100 files when 1,000 are kept", async () => {
    await using log = await openJob();
    let most = 0;
    for (let seq = 1; seq <= 10_000; seq += 25) {
      await log.append(seq, seq + 25);
      await log.writer.prune(BigInt(seq + 24 - 1_000), signal);
      if (seq % 500 !== 1) continue;
      await log.writer.beat(heartbeat(0n, {}), signal);
      const { files } = await hdfsCount(folder.server, log.jobPath, signal);
      most = Math.max(most, files);
    }
    expect(await log.numbers()).toEqual(range(9_000, 10_001));
    process.stderr.write(`10,000 entries: at most ${most} files\n`);
    expect(most).toBeLessThanOrEqual(100);
  }, 3_600_000);
});
