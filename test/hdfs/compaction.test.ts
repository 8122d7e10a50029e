// Many small batches leave few files in HDFS, and no row is lost or doubled on the way there, wherever the writer dies,
// whatever comes too late. A dead writer is one whose requests reach nobody from some request on, or were carried out
// when it could not hear of it any more.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseBatchFileName } from "../../connectors/hdfs/batch-file.ts";
import { chooseJoining, type SizedFile } from "../../connectors/hdfs/compaction.ts";
import { hdfsSink } from "../../connectors/hdfs/index.ts";
import { type Batch, CheckpointCorruptError, type SinkWriter } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { hdfsCount, runHdfsTool } from "../servers/hdfs/run-hdfs-shell.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";
import { type Fate, type NameNodeProxy, nameNodeProxy } from "./name-node-proxy.ts";

const LINEAGE = "0123456789abcdef0123456789abcdef";
const ROWS = 3;
const { signal } = new AbortController();
let folder: TestFolder;
let proxy: NameNodeProxy;
beforeAll(async () => {
  folder = await testFolder();
  proxy = await nameNodeProxy(folder.server.http);
}, serverStartTimeoutMs);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function newOutput(usual: number | false = 4) {
  const name = newName("out");
  const path = `${folder.path}/${name}`;
  const warnings: string[] = [];
  const open = (url: string, epoch: bigint, compactAfterFiles = usual) => {
    const sink = hdfsSink({ url, compactAfterFiles, timeoutMs: 10_000 });
    const context = { jobName: "suite", baseDir: ".", warn: (line: string) => warnings.push(line), lineageId: LINEAGE };
    return sink.open({ ...context, epoch }, signal);
  };
  const dataFiles = async () => (await folder.list(path)).filter((each) => !each.startsWith("_")).sort();
  return {
    path,
    warnings,
    dataFiles,
    open: (epoch: bigint, compactAfterFiles = usual) => open(folder.urlOf(name), epoch, compactAfterFiles),
    openByProxy: (epoch: bigint) => open(folder.urlOf(name).replace(new URL(folder.url).host, proxy.place), epoch),
    /** The numbers of the rows, in the order of the files. */
    async rows() {
      const contents = await Promise.all((await dataFiles()).map((each) => folder.read(`${path}/${each}`)));
      const lines = Buffer.concat(contents).toString("utf8").split("\n");
      return lines.filter((line) => line !== "").map((line): number => JSON.parse(line).id);
    },
  };
}

function batchOf(batchId: number): Batch {
  const planHash = `aa${batchId}`.padEnd(16, "0");
  const ranges = [{ topic: "t", partition: 0, fromOffset: BigInt(batchId), untilOffset: BigInt(batchId + 1) }];
  return { jobName: "suite", lineageId: LINEAGE, batchId, planHash, ranges, signal };
}

async function writeBatch(writer: SinkWriter, batchId: number): Promise<"written" | "already-written"> {
  const begun = await writer.begin(batchOf(batchId));
  if (begun === "already-written") return begun;
  await using write = begun;
  const encoder = hdfsSink({ url: folder.url }).encoder();
  for (let row = 0; row < ROWS; row++) encoder.add({ id: batchId * ROWS + row });
  const rows = encoder.take();
  if (rows !== undefined) await write.write(rows);
  await write.commit();
  return "written";
}

const rowsOf = (batches: number) => Array.from({ length: batches * ROWS }, (_, id) => id);

describe("joining files", () => {
  it("leaves few of them, whose rows Hadoop's own tool reads in the order of the batches", async () => {
    const output = newOutput();
    await using writer = await output.open(1n);
    for (let batchId = 0; batchId < 21; batchId++) await writeBatch(writer, batchId);
    expect(await output.dataFiles()).toEqual([
      "000000000-000000015-01234567-2.ndjson",
      "000000016-000000019-01234567-1.ndjson",
      "000000020-01234567-aa20000000000000.ndjson",
    ]);
    const printed = await runHdfsTool("dfs", ["-cat", `${output.path}/[0-9]*`], { server: folder.server, signal });
    const ids = printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(rowsOf(21));
  });

  it("keeps every batch known as written, in this run and in later ones, and its plan with it", async () => {
    const output = newOutput();
    await using first = await output.open(1n);
    for (let batchId = 0; batchId < 9; batchId++) await writeBatch(first, batchId);
    await using second = await output.open(2n);
    for (let batchId = 0; batchId < 9; batchId++) expect(await second.begin(batchOf(batchId))).toBe("already-written");
    const other = { ...batchOf(3), planHash: "bb00000000000000" };
    await expect(second.begin(other)).rejects.toBeInstanceOf(CheckpointCorruptError);
    expect(await output.rows()).toEqual(rowsOf(9));
  });

  it("can be left out", async () => {
    const output = newOutput(false);
    await using writer = await output.open(1n);
    for (let batchId = 0; batchId < 6; batchId++) await writeBatch(writer, batchId);
    expect(await output.dataFiles()).toHaveLength(6);
  });

  it("is given up with a warning where HDFS does not do it, and the job goes on", async () => {
    const output = newOutput();
    await using writer = await output.open(1n);
    for (let batchId = 0; batchId < 3; batchId++) await writeBatch(writer, batchId);
    // Files in a snapshot are not joined.
    await runHdfsTool("dfsadmin", ["-allowSnapshot", output.path], { server: folder.server, signal });
    await folder.ask("PUT", output.path, { op: "CREATESNAPSHOT", snapshotname: "kept" });
    for (let batchId = 3; batchId < 12; batchId++) await writeBatch(writer, batchId);
    expect(output.warnings).toHaveLength(1);
    expect(output.warnings[0]).toContain("HDFS does not join the files");
    expect(await output.rows()).toEqual(rowsOf(12));
    await using next = await output.open(2n);
    expect(await next.begin(batchOf(2))).toBe("already-written");
    await folder.ask("DELETE", output.path, { op: "DELETESNAPSHOT", snapshotname: "kept" });
    await using last = await output.open(3n);
    await writeBatch(last, 12);
    expect((await output.dataFiles()).length).toBeLessThan(5);
    expect(await output.rows()).toEqual(rowsOf(13));
  });

  it("goes on when somebody has removed some of the files that were to be joined", async () => {
    const output = newOutput();
    await using writer = await output.open(1n);
    for (let batchId = 0; batchId < 4; batchId++) await writeBatch(writer, batchId);
    const [, second = ""] = await output.dataFiles();
    await folder.ask("DELETE", `${output.path}/${second}`, { op: "DELETE" });
    for (let batchId = 4; batchId < 9; batchId++) await writeBatch(writer, batchId);
    expect(await output.rows()).toEqual(rowsOf(9).filter((id) => id < ROWS || id >= 2 * ROWS));
  });
});

describe("a writer that dies while it joins files", () => {
  /** Lets a writer begin the batch before which it joins files twice, as long as the proxy passes its requests. */
  async function die(fateFrom: (request: number) => Fate) {
    const output = newOutput(2);
    proxy.decide(() => "pass");
    const writer = await output.openByProxy(1n);
    // One file of two and two single ones: these are joined next, and then the two files of two.
    for (let batchId = 0; batchId < 4; batchId++) await writeBatch(writer, batchId);
    proxy.forget();
    proxy.decide(() => fateFrom(proxy.asked.length));
    const died = await writer.begin(batchOf(4)).then(
      () => false,
      () => true,
    );
    const requests = proxy.asked.length;
    return { output, died, requests };
  }

  async function finish(output: ReturnType<typeof newOutput>, batches: number) {
    await using writer = await output.open(2n);
    for (let batchId = 0; batchId < 4; batchId++) expect(await writer.begin(batchOf(batchId))).toBe("already-written");
    for (let batchId = 4; batchId < batches; batchId++) await writeBatch(writer, batchId);
    expect(await output.rows()).toEqual(rowsOf(batches));
    expect((await output.dataFiles()).length).toBeLessThanOrEqual(4);
  }

  const fates = [
    ["before a request", "lose-request"],
    ["after a request was carried out", "lose-answer"],
  ] as const;
  // Each of some twenty requests at night; else every fourth of them, by chance from one of the first four on.
  const step = process.env["NIGHTLY"] === undefined ? 4 : 1;
  const firstKilled = 1 + Math.floor(Math.random() * step);
  it.each(fates)(`loses and doubles nothing, whichever request it is (from ${firstKilled} on): %s`, async (_, fate) => {
    let last = firstKilled;
    for (let killedAt = firstKilled; killedAt <= last; killedAt += step) {
      const isDead = (request: number) => request > killedAt;
      const { output, died, requests } = await die((request) =>
        request === killedAt ? fate : isDead(request) ? "lose-request" : "pass",
      );
      if (died) last = killedAt + step;
      else expect(requests).toBeGreaterThan(10);
      await finish(output, 7);
    }
    expect(last).toBeGreaterThan(10);
  });

  it("leaves what it has begun to whoever opens the sink next, who finishes it before all else", async () => {
    for (const lost of ["CONCAT", "RENAME"]) {
      const { output } = await die((request) => {
        const isLost = proxy.asked.slice(0, request).some(({ op, path }) => op === lost && !path.includes("/_"));
        return isLost ? "lose-request" : "pass";
      });
      await using _next = await output.open(2n, false);
      expect((await output.dataFiles()).at(-1)).toBe("000000002-000000003-01234567-1.ndjson");
      expect(await output.rows()).toEqual(rowsOf(4));
    }
  });

  it("does no harm when what it asked for is carried out much later, by files that others have joined", async () => {
    for (const late of ["CONCAT", "RENAME"]) {
      const output = newOutput(2);
      proxy.decide(() => "pass");
      const writer = await output.openByProxy(1n);
      for (let batchId = 0; batchId < 2; batchId++) await writeBatch(writer, batchId);
      let isDead = false;
      proxy.decide(({ op, path }) => {
        if (isDead) return "lose-request";
        isDead = op === late && (op === "CONCAT" || path.endsWith("-1.ndjson"));
        return isDead ? "hold" : "pass";
      });
      await expect(writer.begin(batchOf(2))).rejects.toMatchObject({ retryable: true });
      expect(isDead).toBe(true);
      {
        await using next = await output.open(2n);
        for (let batchId = 2; batchId < 7; batchId++) await writeBatch(next, batchId);
      }
      for (const status of await proxy.release()) expect(status).toBe(404);
      expect(await output.rows()).toEqual(rowsOf(7));
    }
  });
});

describe("the number of files", () => {
  it("stays below 100 at every step of 10,000 batches, by what is chosen to be joined", () => {
    let files: SizedFile[] = [];
    let most = 0;
    for (let batchId = 0; batchId < 10_000; batchId++) {
      files.push(fileOf(`${String(batchId).padStart(9, "0")}-01234567-aa.ndjson`, 100));
      most = Math.max(most, files.length);
      for (let joining = chooseJoining(files, 32); joining !== undefined; joining = chooseJoining(files, 32)) {
        const { target, sources, result, length } = joining;
        files = files.flatMap((file) =>
          file.name === target ? [fileOf(result, length)] : sources.includes(file.name) ? [] : [file],
        );
      }
    }
    expect(most).toBeLessThanOrEqual(75);
    expect(files.reduce((sum, { length }) => sum + length, 0)).toBe(1_000_000);
  });

  it("is not made smaller by joining what is no small file, nor files between which another one lies", () => {
    const sizes = [10, 10, 40_000_000, 10, 10, 10];
    const files = sizes.map((length, batchId) => fileOf(`00000000${batchId}-01234567-aa.ndjson`, length));
    const joining = chooseJoining(files, 3);
    expect([joining?.target, joining?.sources]).toEqual([
      "000000003-01234567-aa.ndjson",
      ["000000004-01234567-aa.ndjson", "000000005-01234567-aa.ndjson"],
    ]);
    expect(chooseJoining(files, 4)).toBeUndefined();
  });

  function fileOf(name: string, length: number): SizedFile {
    const file = parseBatchFileName(name);
    if (file === undefined) throw new Error(name);
    return { ...file, length };
  }
});

describe.skipIf(process.env["NIGHTLY"] === undefined)("10,000 small batches", () => {
  it("leave at most 100 files", async () => {
    const output = newOutput(32);
    let writer = await output.open(1n);
    let most = 0;
    for (let batchId = 0; batchId < 10_000; batchId++) {
      await writeBatch(writer, batchId);
      if (batchId % 500 !== 499) continue;
      most = Math.max(most, (await hdfsCount(folder.server, output.path, signal)).files);
      await writer[Symbol.asyncDispose]();
      writer = await output.open(BigInt(batchId));
    }
    expect(await writer.begin(batchOf(17))).toBe("already-written");
    await writer[Symbol.asyncDispose]();
    const { files, folders } = await hdfsCount(folder.server, output.path, signal);
    process.stderr.write(`10,000 small batches: at most ${most} files, ${files} in the end, ${folders} folders\n`);
    expect(Math.max(most, files)).toBeLessThanOrEqual(100);
    expect(await output.rows()).toEqual(rowsOf(10_000));
  }, 3_600_000);
});
