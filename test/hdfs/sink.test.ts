// The HDFS sink on a real name node and DataNode: the contract suite in all its formats, and what is particular to it.
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll } from "vitest";
import { hdfsSink } from "../../connectors/hdfs/index.ts";
import type { Sink } from "../../runtime/index.ts";
import { parseCsv } from "../contracts/parse-csv.ts";
import { type SinkUnderTest, type SuiteRow, sinkContract } from "../contracts/sink.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";

let folder: TestFolder;
beforeAll(async () => {
  folder = await testFolder();
}, serverStartTimeoutMs);
afterAll(() => folder[Symbol.asyncDispose]());

sinkContract({
  name: "HDFS as NDJSON",
  guarantee: "exactly-once",
  fences: true,
  create: async () => sinkUnderTest((url) => hdfsSink({ url }), parseNdjson),
});

sinkContract({
  name: "HDFS as CSV, in zstd, joined after every second file",
  guarantee: "exactly-once",
  fences: true,
  create: async () =>
    sinkUnderTest(
      (url) => hdfsSink({ url, format: "csv", columns: ["id", "text"], compression: "zstd", compactAfterFiles: 2 }),
      (csv) => parseCsv(`id,text\r\n${csv}`).map(({ id, text }) => ({ id: Number(id), text: text ?? "" })),
      unzstd,
    ),
});

sinkContract({
  name: "HDFS as NDJSON, in gzip, joined after every third file",
  guarantee: "exactly-once",
  fences: true,
  create: async () =>
    sinkUnderTest((url) => hdfsSink({ url, compression: "gzip", compactAfterFiles: 3 }), parseNdjson, gunzipSync),
});

/** Frame after frame: Node's own function ends after the first. */
function unzstd(bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const decompressed: unknown = zstdDecompressSync(bytes.subarray(start), { info: true });
    const { buffer, engine } = decompressed as { buffer: Buffer; engine: { bytesWritten: number } };
    frames.push(buffer);
    start += engine.bytesWritten;
  }
  return Buffer.concat(frames);
}

function parseNdjson(lines: string): SuiteRow[] {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

async function sinkUnderTest(
  sinkOf: (url: string) => Sink<SuiteRow>,
  parse: (content: string) => SuiteRow[],
  decompress = (bytes: Buffer) => bytes,
): Promise<SinkUnderTest> {
  const name = newName("out");
  const path = `${folder.path}/${name}`;
  const isData = (each: string) => !/^[._]/.test(each);
  return {
    sink: sinkOf(folder.urlOf(name)),
    async readAll() {
      const names = (await folder.list(path)).filter(isData).sort();
      const contents = await Promise.all(names.map((each) => folder.read(`${path}/${each}`)));
      return contents.flatMap((bytes) => parse(decompress(bytes).toString("utf8")));
    },
    async leftovers() {
      const names = await folder.list(path);
      const staged = await Promise.all(
        names.filter((each) => each.startsWith("_staging")).map((each) => folder.list(`${path}/${each.slice(0, -1)}`)),
      );
      return [...staged.flat(), ...names.filter((each) => each.startsWith("_tmp"))];
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
