// What the file source does beyond the contract suite: lines as they are found in real files, files that grow and
// change, and the index that spares reading what lies before a range.
import { appendFile, chmod, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FileSourceOptions, fileSource } from "../../connectors/files/index.ts";
import { LineIndex } from "../../connectors/files/line-index.ts";
import { ConfigError, DataLossError, json, type SourceReader, type SourceRecord, text } from "../../runtime/index.ts";

const { signal } = new AbortController();
const skip: ReadonlySet<bigint> = new Set();
/** More than one step of the index, and more than it takes for an index to be saved. */
const LONG_LINES = 200_000;

let root: string;
let dir: string;
let readers: SourceReader[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tidemark-files-source-"));
  dir = join(root, "log");
  await mkdir(dir);
  readers = [];
});
afterEach(async () => {
  for (const reader of readers) await reader[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function openSource(
  changes: Partial<FileSourceOptions<string>> = {},
): Promise<SourceReader<SourceRecord<string>>> {
  const context = { jobName: "job", baseDir: root, warn: () => undefined };
  const reader = await fileSource({ dir: "log", value: text(), ...changes }).open(context, signal);
  readers.push(reader);
  return reader;
}

function put(partition: number, content: string | Uint8Array): Promise<void> {
  return writeFile(join(dir, `${partition}.ndjson`), content);
}

async function read(reader: SourceReader<SourceRecord<string>>, from: number, until: number, partition = 0) {
  const values: string[] = [];
  const range = { topic: "log", partition, fromOffset: BigInt(from), untilOffset: BigInt(until) };
  for await (const chunk of reader.read(range, { signal, skip }))
    values.push(...chunk.records.map(({ value }) => value));
  return values;
}

async function latest(reader: SourceReader): Promise<number[]> {
  return (await reader.partitions(signal)).map((bounds) => Number(bounds.latest));
}

const longLog = (name = "line") => Array.from({ length: LONG_LINES }, (_, at) => `${name} ${at}\n`).join("");

/** Counts the bytes that are read from files while `run` runs. */
async function bytesReadBy(run: () => Promise<unknown>): Promise<number> {
  const handle = await open(root, "r");
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  let bytes = 0;
  const original = prototype.read;
  const spy = vi.spyOn(prototype, "read").mockImplementation(async function (this: unknown, ...args: unknown[]) {
    const result = await original.apply(this, args);
    bytes += result.bytesRead;
    return result;
  });
  try {
    await run();
  } finally {
    spy.mockRestore();
  }
  return bytes;
}

describe("the lines of a file", () => {
  it("takes a last line without a newline for not there yet", async () => {
    await put(0, "a\nb");
    const reader = await openSource();
    expect(await latest(reader)).toEqual([1]);
    await appendFile(join(dir, "0.ndjson"), "c\n");
    expect(await latest(reader)).toEqual([2]);
    expect(await read(reader, 0, 2)).toEqual(["a", "bc"]);
  });

  it("forgets an unfinished line that was cut off and written anew", async () => {
    await put(0, "a\nhalf a li");
    const reader = await openSource();
    expect(await latest(reader)).toEqual([1]);
    await put(0, "a\nb\n");
    expect(await latest(reader)).toEqual([2]);
    expect(await read(reader, 0, 2)).toEqual(["a", "b"]);
  });

  it("strips a carriage return at the end, and a byte order mark at the start of the file", async () => {
    await put(0, "\uFEFFa\r\nb\r\r\n\uFEFFc\n");
    const reader = await openSource();
    await reader.partitions(signal);
    expect(await read(reader, 0, 3)).toEqual(["a", "b\r", "\uFEFFc"]);
  });

  it("takes blank lines and `null` for records without a value, and nothing else", async () => {
    await put(0, '\n \t\r\nnull\r\nnull\nnulls\n nil\n"null"\n0\n');
    const reader = await openSource();
    const [bounds] = await reader.partitions(signal);
    expect(bounds?.latest).toBe(8n);
    expect(await read(reader, 0, 8)).toEqual(["nulls", " nil", '"null"', "0"]);
  });

  it("reads lines longer than a block, up to the limit", async () => {
    const long = "x".repeat(3_000_000);
    await put(0, `a\n${long}\nb\n`);
    const reader = await openSource();
    expect(await latest(reader)).toEqual([3]);
    expect(await read(reader, 0, 3)).toEqual(["a", long, "b"]);
    const limited = await openSource({ maxLineBytes: 2_000_000 });
    await expect(limited.partitions(signal)).rejects.toThrow(/longer than 2000000 bytes/);
    await put(0, "1234\n12345\n");
    await expect((await openSource({ maxLineBytes: 5 })).partitions(signal)).rejects.toThrow(/^line 1 .* 5 bytes/);
  });

  it("decodes JSON, and gives records their time by the value", async () => {
    await put(0, '{"at":5}\n{"at":7}\n');
    const context = { jobName: "job", baseDir: root, warn: () => undefined };
    const source = fileSource({ dir, value: json<{ at: number }>(), timestamp: ({ at }) => at });
    await using reader = await source.open(context, signal);
    const range = { topic: "log", partition: 0, fromOffset: 0n, untilOffset: 2n };
    for await (const { records } of reader.read(range, { signal, skip })) {
      expect(records).toMatchObject([
        { offset: 0n, timestamp: 5, key: null, headers: [] },
        { offset: 1n, timestamp: 7, value: { at: 7 } },
      ]);
    }
  });

  it("passes over lines that have no time, when it looks for one", async () => {
    await put(0, '\nnot json\n{"at":5}\n\n{"at":9}\n');
    const context = { jobName: "job", baseDir: root, warn: () => undefined };
    const source = fileSource({ dir, value: json<{ at: number }>(), timestamp: ({ at }) => at });
    await using reader = await source.open(context, signal);
    expect(await reader.offsetsAtTime(5, signal)).toMatchObject([{ offset: 2n }]);
    expect(await reader.offsetsAtTime(6, signal)).toMatchObject([{ offset: 4n }]);
    await expect((await openSource()).offsetsAtTime(6, signal)).rejects.toMatchObject({ hint: /timestamp/ });
  });
});

describe("the folder", () => {
  it("takes numbered files for partitions, and nothing else", async () => {
    await put(0, "a\n");
    await put(10, "b\n");
    for (const name of ["01.ndjson", "1.ndjson.gz", "a.ndjson", ".2.ndjson", "3.json", "-1.ndjson"]) {
      await writeFile(join(dir, name), "x\n");
    }
    await mkdir(join(dir, "4.ndjson"));
    await symlink("10.ndjson", join(dir, "2.ndjson"));
    const found = await (await openSource()).partitions(signal);
    expect(found.map(({ partition }) => partition)).toEqual([0, 2, 10]);
  });

  it("is the topic's name, unless another is given", async () => {
    await put(0, "a\n");
    expect((await (await openSource()).partitions(signal))[0]?.topic).toBe("log");
    expect((await (await openSource({ topic: "payments" })).partitions(signal))[0]?.topic).toBe("payments");
  });

  it("must be there, and be a folder", async () => {
    await expect(openSource({ dir: "missing" })).rejects.toMatchObject({ code: "CONFIG", hint: /mkdir -p/ });
    await writeFile(join(root, "file"), "");
    await expect(openSource({ dir: "file" })).rejects.toThrow(/is not a folder/);
    expect(() => fileSource({ dir: "" })).toThrow(ConfigError);
    expect(() => fileSource({ dir: "log", maxLineBytes: 0 })).toThrow(ConfigError);
  });

  it("calls a file that vanished data loss, and lists it no more", async () => {
    await put(0, "a\nb\n");
    await put(1, "c\n");
    const reader = await openSource();
    expect(await latest(reader)).toEqual([2, 1]);
    const [marked] = await reader.mark([{ topic: "log", partition: 0, offset: 2n }], signal);
    await rm(join(dir, "0.ndjson"));
    await expect(read(reader, 1, 2)).rejects.toThrow(/0\.ndjson is gone: log:0:1-2/);
    expect(await reader.mismatches(marked ? [marked] : [], signal)).toMatchObject([{ reason: /is gone/ }]);
    expect((await reader.partitions(signal)).map(({ partition }) => partition)).toEqual([1]);
  });
});

describe("a file that changes under the source", () => {
  it("is counted anew when it shrank, and what is gone is data loss", async () => {
    await put(0, longLog());
    const reader = await openSource();
    expect(await latest(reader)).toEqual([LONG_LINES]);
    await put(0, "line 0\nline 1\n");
    expect(await latest(reader)).toEqual([2]);
    const error = await read(reader, 1, 10).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(DataLossError);
    expect(error.lost).toMatchObject([{ fromOffset: 2n, untilOffset: 10n }]);
  });

  it("is counted anew when another file of its size took its place", async () => {
    await put(0, "aaaa\naaaa\n");
    const reader = await openSource();
    expect(await latest(reader)).toEqual([2]);
    const position = { topic: "log", partition: 0, offset: 1n };
    const before = await reader.mark([position], signal);
    expect(await read(reader, 0, 1)).toEqual(["aaaa"]);
    await put(0, "b\nc\nd\ne\nf\n");
    expect(await latest(reader)).toEqual([5]);
    expect(await read(reader, 1, 5)).toEqual(["c", "d", "e", "f"]);
    expect(await reader.mark([position], signal)).not.toEqual(before);
  });

  it("is counted anew when another file that begins like it took its place", async () => {
    await put(0, longLog());
    const reader = await openSource();
    expect(await latest(reader)).toEqual([LONG_LINES]);
    await put(0, `${longLog().replace("line 199998\n", "l\nne 199998\n")}more\n`);
    expect(await latest(reader)).toEqual([LONG_LINES + 2]);
  });

  it("is told from one in which the same lines begin elsewhere", async () => {
    await put(0, "same\n".repeat(1000));
    const reader = await openSource();
    await reader.partitions(signal);
    const marked = await reader.mark([{ topic: "log", partition: 0, offset: 900n }], signal);
    await put(0, `longer\n${"same\n".repeat(999)}`);
    expect(await reader.mismatches(marked, signal)).toMatchObject([{ reason: "the file was replaced or edited" }]);
  });

  it("is told from another by the marks of its positions, edits before them included", async () => {
    await put(0, longLog());
    const reader = await openSource();
    await reader.partitions(signal);
    const positions = [0, 1, 777, LONG_LINES - 1, LONG_LINES].map((offset) => {
      return { topic: "log", partition: 0, offset: BigInt(offset) };
    });
    const marked = await reader.mark(positions, signal);
    expect(new Set(marked.map(({ mark }) => mark)).size).toBe(positions.length);
    expect(await (await openSource()).mismatches(marked, signal)).toEqual([]);
    // Two lines become three, and everything after them lies where it lay.
    await put(0, longLog().replace("line 3\n", "l\nne 3\n"));
    const found = await (await openSource()).mismatches(marked, signal);
    expect(found.map(({ position }) => position.offset)).toEqual([777n, BigInt(LONG_LINES - 1), BigInt(LONG_LINES)]);
    expect(found[0]?.reason).toBe("the file was replaced or edited");
  });

  it("rejects marks that another source made", async () => {
    await put(0, "a\n");
    const position = { topic: "log", partition: 0, offset: 1n, mark: "cluster/topic/7" };
    expect(await (await openSource()).mismatches([position], signal)).toMatchObject([
      { reason: /not one of the file/ },
    ]);
  });
});

describe("the index", () => {
  const saved = () => join(dir, ".tidemark-index", "0.json");

  it("spares reading what lies before a range", async () => {
    await put(0, longLog());
    const reader = await openSource();
    await reader.partitions(signal);
    const bytes = await bytesReadBy(async () => {
      expect(await read(reader, LONG_LINES - 2, LONG_LINES)).toEqual([
        `line ${LONG_LINES - 2}`,
        `line ${LONG_LINES - 1}`,
      ]);
    });
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(200_000);
  });

  it("reads each range once when ranges follow one another", async () => {
    await put(0, longLog());
    const reader = await openSource();
    await reader.partitions(signal);
    await read(reader, 0, 100_000);
    const bytes = await bytesReadBy(() => read(reader, 100_000, 100_010));
    expect(bytes).toBeLessThan(70_000);
  });

  it("reads on exactly where the last range ended, wherever blocks and steps end", async () => {
    // The range ends one line before the first block does, and three before the index's next step.
    const lines = Array.from({ length: 300 }, (_, at) => `${at} `.padEnd(999, "x"));
    await put(0, `${lines.join("\n")}\n`);
    const reader = await openSource();
    expect(await read(reader, 0, 261)).toEqual(lines.slice(0, 261));
    expect(await read(reader, 261, 300)).toEqual(lines.slice(261));
  });

  it("reads only what was added when a file grew", async () => {
    await put(0, longLog());
    const reader = await openSource();
    await reader.partitions(signal);
    expect(await bytesReadBy(() => reader.partitions(signal))).toBe(0);
    await appendFile(join(dir, "0.ndjson"), "more\n");
    const bytes = await bytesReadBy(async () => expect(await latest(reader)).toEqual([LONG_LINES + 1]));
    expect(bytes).toBeLessThan(20_000);
  });

  it("is kept for the next run, which then counts only what is new", async () => {
    await put(0, longLog());
    const first = await openSource();
    await first.partitions(signal);
    await first[Symbol.asyncDispose]();
    expect(await readdir(join(dir, ".tidemark-index"))).toEqual(["0.json"]);
    await appendFile(join(dir, "0.ndjson"), "more\n");
    const second = await openSource();
    const bytes = await bytesReadBy(async () => {
      expect(await latest(second)).toEqual([LONG_LINES + 1]);
      expect(await read(second, LONG_LINES - 1, LONG_LINES + 1)).toEqual([`line ${LONG_LINES - 1}`, "more"]);
    });
    expect(bytes).toBeLessThan(200_000);
  });

  it("is not kept for small files, and not missed where the folder cannot be written to", async () => {
    await put(0, "a\n");
    const first = await openSource();
    await first.partitions(signal);
    await first[Symbol.asyncDispose]();
    expect(await readdir(dir)).toEqual(["0.ndjson"]);
    await put(0, longLog());
    await writeFile(join(dir, ".tidemark-index"), "a file in its place");
    await chmod(dir, 0o555);
    const second = await openSource();
    expect(await latest(second)).toEqual([LONG_LINES]);
    await second[Symbol.asyncDispose]();
    await chmod(dir, 0o755);
  });

  const damages: readonly (readonly [string, (content: string) => string])[] = [
    ["is no JSON", (content) => content.slice(0, -10)],
    ["has another version", (content) => content.replace('"version":1', '"version":2')],
    ["has lists of different lengths", (content) => content.replace(/"lineSteps":\[\d+,/, '"lineSteps":[')],
    ["does not rise", (content) => content.replace(/"byteSteps":\[\d+/, '"byteSteps":[0')],
    ["points into the middle of lines", (content) => content.replace(/"byteSteps":\[\d+/, '"byteSteps":[65541')],
    ["goes beyond the file", (content) => content.replace(/"endByte":\d+/, '"endByte":99999999')],
    ["is null", () => "null"],
  ];
  it.each(damages)("is made anew when the saved one %s", async (_how, damage) => {
    await put(0, longLog());
    const first = await openSource();
    await first.partitions(signal);
    await first[Symbol.asyncDispose]();
    const content = await readFile(saved(), "utf8");
    expect(damage(content)).not.toBe(content);
    await writeFile(saved(), damage(content));
    const second = await openSource();
    expect(await latest(second)).toEqual([LONG_LINES]);
    // A line where the index has an entry, so that nothing but the entry says where it begins.
    const [line = 0] = JSON.parse(content).lineSteps;
    expect(await read(second, line, line + 1)).toEqual([`line ${line}`]);
  });

  it("is made anew when the saved one is another file's", async () => {
    await put(0, longLog());
    const first = await openSource();
    await first.partitions(signal);
    await first[Symbol.asyncDispose]();
    await put(0, `${longLog("other")}and more\n`);
    const second = await openSource();
    expect(await latest(second)).toEqual([LONG_LINES + 1]);
    expect(await read(second, LONG_LINES - 1, LONG_LINES)).toEqual([`other ${LONG_LINES - 1}`]);
  });

  it("stays small however large the file is, and always right", () => {
    const index = new LineIndex();
    const block = Buffer.from(`${"x".repeat(65_535)}\n`);
    const blocks = 200_000;
    for (let at = 0; at < blocks; at++) index.extend(block, block.length, block.length);
    expect(index.lines).toBe(blocks);
    expect(index.entryCount).toBeLessThanOrEqual(65_536);
    for (let line = 0; line <= blocks; line += 500) {
      const start = index.startAtOrBefore(line);
      expect(start.byte).toBe(start.line * block.length);
      expect(start.line).toBeLessThanOrEqual(line);
      expect(start.line).toBeGreaterThan(line - 8);
      expect(index.byteAtOrAfter(line)).toBeGreaterThanOrEqual(line * block.length);
    }
    const restored = LineIndex.restore(index.state);
    expect(restored.startAtOrBefore(77_777)).toEqual(index.startAtOrBefore(77_777));
  });
});
