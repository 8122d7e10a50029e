// What the file sink does beyond the contract suite: names, formats, and what is in the folder at every moment.
import { mkdtemp, readdir, readFile, readlink, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileSink } from "../../connectors/files/index.ts";
import {
  type Batch,
  ConfigError,
  type EncodedRows,
  type Sink,
  type SinkContext,
  type SinkWriter,
  TransientError,
} from "../../runtime/index.ts";
import { parseCsv } from "../contracts/parse-csv.ts";

const LINEAGE = "0123456789abcdef";
const { signal } = new AbortController();
let root: string;
let dir: string;
let warnings: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tidemark-files-sink-"));
  dir = join(root, "out");
  warnings = [];
});
afterEach(() => rm(root, { recursive: true }));

function open(sink: Sink<never>, changes: Partial<SinkContext> = {}): Promise<SinkWriter> {
  const warn = (message: string) => void warnings.push(message);
  const context = { jobName: "job", baseDir: root, warn, lineageId: LINEAGE, epoch: 1n, ...changes };
  return sink.open(context, signal);
}

function batchOf(batchId: number, changes: Partial<Batch> = {}): Batch {
  return { jobName: "job", lineageId: LINEAGE, batchId, planHash: "00aa11bb", ranges: [], signal, ...changes };
}

function encode<Row>(sink: Sink<Row>, rows: readonly Row[]): EncodedRows {
  const encoder = sink.encoder();
  for (const row of rows) encoder.add(row);
  return encoder.take() ?? { rowCount: 0, data: new Uint8Array() };
}

async function begin(writer: SinkWriter, batch: Batch) {
  const begun = await writer.begin(batch);
  if (begun === "already-written") throw new Error("already written");
  return begun;
}

async function writeBatch<Row>(
  sink: Sink<Row>,
  writer: SinkWriter,
  batch: Batch,
  ...tasks: readonly (readonly Row[])[]
) {
  await using write = await begin(writer, batch);
  for (const rows of tasks) await write.write(encode(sink, rows));
  await write.commit();
}

/** What one batch of these rows looks like as a file. */
async function written<Row>(sink: Sink<Row>, ...tasks: readonly (readonly Row[])[]): Promise<string> {
  await using writer = await open(sink);
  await writeBatch(sink, writer, batchOf(0), ...tasks);
  const [name] = await dataFiles();
  return readFile(join(dir, name ?? ""), "utf8");
}

async function dataFiles(): Promise<string[]> {
  return (await readdir(dir)).filter((name) => !/^[._]/.test(name));
}

/** What this process has open below a folder. */
async function openBelow(folder: string): Promise<string[]> {
  const links = (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ""));
  return (await Promise.all(links)).filter((path) => path.startsWith(`${folder}/`));
}

it("closes and removes the file of a batch that is given up while it is being opened", async () => {
  const sink = fileSink({ dir: "out" });
  await using writer = await open(sink);
  const write = await begin(writer, batchOf(0));
  const writing = write.write(encode(sink, [1]));
  await write[Symbol.asyncDispose]();
  await expect(writing).rejects.toThrow("was given up");
  expect((await readdir(dir, { recursive: true })).filter((path) => path.endsWith(".ndjson"))).toEqual([]);
  if (process.platform === "linux") expect(await openBelow(dir)).toEqual([]);
});

describe("the files of a sink", () => {
  it("are named by batch, lineage and plan, readable to all, and sort by batch", async () => {
    const sink = fileSink({ dir: "out" });
    await using writer = await open(sink);
    for (const batchId of [0, 2, 10]) await writeBatch(sink, writer, batchOf(batchId), [batchId]);
    expect(await dataFiles()).toEqual([
      "000000000-01234567-00aa11bb.ndjson",
      "000000002-01234567-00aa11bb.ndjson",
      "000000010-01234567-00aa11bb.ndjson",
    ]);
    const { mode } = await stat(join(dir, "000000000-01234567-00aa11bb.ndjson"));
    expect((mode & 0o777).toString(8)).toBe("644");
  });

  it("grow in a folder of their own until the batch commits", async () => {
    const sink = fileSink({ dir: "out" });
    await using writer = await open(sink);
    const write = await begin(writer, batchOf(0));
    await write.write(encode(sink, [1]));
    expect(await dataFiles()).toEqual([]);
    const staging = (await readdir(dir)).find((name) => name.startsWith("_staging-job-")) ?? "";
    expect(await readdir(join(dir, staging))).toEqual(["000000000-01234567-00aa11bb.ndjson"]);
    expect(((await stat(join(dir, staging))).mode & 0o777).toString(8)).toBe("700");
    await write[Symbol.asyncDispose]();
    expect(await readdir(join(dir, staging))).toEqual([]);
  });

  it("are all that is left after closing, beside one hidden list of lineages", async () => {
    const sink = fileSink({ dir: "out" });
    const writer = await open(sink);
    await writeBatch(sink, writer, batchOf(0), [1]);
    await writer[Symbol.asyncDispose]();
    expect(await readdir(dir)).toEqual(["000000000-01234567-00aa11bb.ndjson", "_lineages-job"]);
  });

  it("of an earlier checkpoint of the job stay, and the operator is told once", async () => {
    const sink = fileSink({ dir: "out" });
    for (const lineageId of ["aaaaaaaaaa", "bbbbbbbbbb"]) {
      await using writer = await open(sink, { lineageId });
      await writeBatch(sink, writer, batchOf(0, { lineageId }), [1]);
    }
    {
      await using other = await open(sink, { jobName: "other", lineageId: "cccccccccc" });
      await writeBatch(sink, other, batchOf(0, { lineageId: "cccccccccc" }), [1]);
    }
    warnings = [];
    await (await open(sink))[Symbol.asyncDispose]();
    expect(warnings).toEqual([`${dir} has 2 files of an earlier checkpoint of "job": their rows stay there`]);
    expect(await dataFiles()).toHaveLength(3);
  });

  it("are found among very many, by one listing", async () => {
    const sink = fileSink({ dir: "out" });
    await (await open(sink))[Symbol.asyncDispose]();
    const names = Array.from({ length: 2000 }, (_, at) => `${String(at).padStart(9, "0")}-01234567-00aa11bb.ndjson`);
    await Promise.all(names.map((name) => writeFile(join(dir, name), "")));
    await using writer = await open(sink);
    expect(await writer.begin(batchOf(1999))).toBe("already-written");
    expect(await writer.begin(batchOf(2000))).not.toBe("already-written");
  });
});

describe("several writers in one folder", () => {
  it("leave one another alone when they are of different jobs, whatever the names", async () => {
    const sink = fileSink({ dir: "out" });
    await using one = await open(sink, { jobName: "a" });
    await using other = await open(sink, { jobName: "a-b", epoch: 9n });
    await using third = await open(sink, { jobName: "a-01234567-9", epoch: 3n, lineageId: "89abcdef" });
    await writeBatch(sink, one, batchOf(0), [1]);
    await writeBatch(sink, other, batchOf(1), [2]);
    await writeBatch(sink, third, batchOf(2), [3]);
    expect(await dataFiles()).toHaveLength(3);
  });

  it("are refused when they come late with an older epoch", async () => {
    const sink = fileSink({ dir: "out" });
    await using newest = await open(sink, { epoch: 5n });
    await expect(open(sink, { epoch: 4n })).rejects.toMatchObject({ code: "SINK_FENCED", retryable: true });
    await writeBatch(sink, newest, batchOf(0), [1]);
    expect(await dataFiles()).toHaveLength(1);
  });

  it("find their paths gone, begun file included, when a newer one opens", async () => {
    const sink = fileSink({ dir: "out" });
    const older = await open(sink);
    const begun = await begin(older, batchOf(0));
    await begun.write(encode(sink, ["first part"]));
    await using newer = await open(sink, { epoch: 2n });
    // The open file can still be written to; nothing of it can ever get a name.
    await begun.write(encode(sink, ["second part"]));
    await expect(begun.commit()).rejects.toMatchObject({ code: "SINK_FENCED" });
    await begun[Symbol.asyncDispose]();
    const later = await begin(older, batchOf(1));
    await expect(later.write(encode(sink, [1]))).rejects.toMatchObject({ code: "SINK_FENCED" });
    await older[Symbol.asyncDispose]();
    await writeBatch(sink, newer, batchOf(0), ["rightful"]);
    expect(await dataFiles()).toHaveLength(1);
    expect((await readdir(dir)).filter((name) => name.startsWith("_staging"))).toHaveLength(1);
  });

  it("end with exactly one that can write, when many of one epoch open at once", async () => {
    const sink = fileSink({ dir: "out" });
    for (let round = 0; round < 20; round++) {
      const opened = await Promise.allSettled(Array.from({ length: 5 }, () => open(sink, { epoch: BigInt(round) })));
      let able = 0;
      for (const each of opened) {
        if (each.status === "rejected") {
          expect(each.reason).toMatchObject({ code: "SINK_FENCED" });
          continue;
        }
        const write = await begin(each.value, batchOf(100 + round));
        const ended = await write.write(encode(sink, [1])).catch((error) => error);
        if (ended === undefined) able++;
        else expect(ended).toBeInstanceOf(TransientError);
        await write[Symbol.asyncDispose]();
      }
      expect(able, `round ${round}`).toBe(1);
      for (const each of opened) if (each.status === "fulfilled") await each.value[Symbol.asyncDispose]();
    }
    expect(await dataFiles()).toEqual([]);
  });

  it("say what is wrong when the folder is taken away or cannot be written to", async () => {
    const sink = fileSink({ dir: "out" });
    const writer = await open(sink);
    await using write = await begin(writer, batchOf(0));
    await write.write(encode(sink, [1]));
    await rename(dir, `${dir}-moved`);
    await expect(write.commit()).rejects.toBeInstanceOf(TransientError);
    await writer[Symbol.asyncDispose]();
    await writeFile(dir, "a file in its place");
    await expect(open(sink)).rejects.toThrow(/cannot open .*EEXIST/);
  });
});

describe("NDJSON", () => {
  it("is one JSON text a line", async () => {
    const rows = [{ a: "x\ny", b: [1, null] }, "text", 7, null, { at: new Date(0), left: undefined }];
    expect(await written(fileSink({ dir: "out" }), rows)).toBe(
      '{"a":"x\\ny","b":[1,null]}\n"text"\n7\nnull\n{"at":"1970-01-01T00:00:00.000Z"}\n',
    );
  });

  it("refuses rows that JSON cannot express, and says what to do", () => {
    const encoder = fileSink({ dir: "out" }).encoder();
    expect(() => encoder.add(undefined)).toThrow("it is undefined");
    expect(() => encoder.add(() => 1)).toThrow("it is a function");
    expect(() => encoder.add({ offset: 7n })).toThrow("String(value)");
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    expect(() => encoder.add(circular)).toThrow(/circular/);
    encoder.add(1);
    expect(encoder.take()?.rowCount).toBe(1);
  });

  it("gives bytes with memory of their own, so that they can be transferred", () => {
    const rows = encode(fileSink({ dir: "out" }), [1, 2]);
    const bytes = rows.data as Uint8Array;
    expect(bytes.byteLength).toBe(bytes.buffer.byteLength);
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
    expect(bytes.byteLength).toBe(0);
  });

  it("encodes much at once, in parts, and each row once", () => {
    const encoder = fileSink({ dir: "out" }).encoder();
    for (let taken = 0; taken < 2; taken++) {
      for (let row = 0; row < 5; row++) encoder.add("x".repeat(700_000));
      expect(encoder.take()?.data).toHaveProperty("byteLength", 5 * 700_003);
    }
  });
});

describe("CSV", () => {
  it("has a header line from the first row, once a file, and CRLF line ends", async () => {
    const sink = fileSink({ dir: "out", format: "csv" });
    expect(await written(sink, [{ id: 1, "a,b": "x" }], [{ id: 2, "a,b": "y" }])).toBe('id,"a,b"\r\n1,x\r\n2,y\r\n');
  });

  it("writes each kind of value so that it can be told from the others", async () => {
    const row = {
      text: 'a "b",\r\nc',
      empty: "",
      none: null,
      missing: undefined,
      yes: true,
      big: 12345678901234567890n,
      at: new Date(0),
      object: { a: [1, "x"] },
    };
    const [read] = parseCsv(await written(fileSink({ dir: "out", format: "csv" }), [row]));
    expect(read).toEqual({
      text: 'a "b",\r\nc',
      empty: "",
      none: undefined,
      missing: undefined,
      yes: "true",
      big: "12345678901234567890",
      at: "1970-01-01T00:00:00.000Z",
      object: '{"a":[1,"x"]}',
    });
  });

  it("takes the columns that are given, in their order, and leaves missing ones empty", async () => {
    const sink = fileSink({ dir: "out", format: "csv", columns: ["b", "a"] });
    expect(await written(sink, [{ a: 1, b: 2 }, { a: 3 }])).toBe("b,a\r\n2,1\r\n,3\r\n");
    expect(() => sink.encoder().add({ a: 1, c: 2 } as object)).toThrow('"c", which is not one of the columns b, a');
  });

  it("refuses rows with other columns than the first, and names the column", () => {
    const encoder = fileSink({ dir: "out", format: "csv" }).encoder();
    encoder.add({ a: 1, b: 2 });
    expect(() => encoder.add({ a: 1, b: 2, c: 3 })).toThrow('"c"');
    expect(() => encoder.add({ a: 1 })).toThrow('no "b"');
    expect(() => encoder.add({ a: 1, b: () => 1 })).toThrow('"b" is a function');
    expect(() => encoder.add([1, 2])).toThrow("must be an object");
    encoder.add({ b: 5, a: 4 });
    expect(encoder.take()?.rowCount).toBe(2);
  });

  it("refuses partitions of one batch with different columns, and says how to settle it", async () => {
    const sink = fileSink({ dir: "out", format: "csv" });
    await using writer = await open(sink);
    await using write = await begin(writer, batchOf(0));
    await write.write(encode(sink, [{ a: 1 }]));
    await expect(write.write(encode(sink, [{ b: 1 }]))).rejects.toMatchObject({ code: "CONFIG", hint: /columns/ });
  });

  it("never writes a row as a blank line", async () => {
    expect(await written(fileSink({ dir: "out", format: "csv" }), [{ a: null }, { a: 1 }])).toBe('a\r\n""\r\n1\r\n');
  });
});

describe("options", () => {
  it("are checked when the sink is made", () => {
    expect(() => fileSink({ dir: "" })).toThrow(ConfigError);
    expect(() => fileSink({ dir: "out", format: "xml" as "ndjson" })).toThrow(ConfigError);
    expect(() => fileSink({ dir: "out", format: "csv", columns: ["a", "a"] })).toThrow(ConfigError);
    expect(() => fileSink({ dir: "out", format: "csv", columns: [] })).toThrow(ConfigError);
  });
});
