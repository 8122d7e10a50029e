// The contract suites, run against the sources and sinks that need no server.
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consoleSink } from "../../connectors/console/index.ts";
import { fileSink, fileSource } from "../../connectors/files/index.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import type { Sink } from "../../runtime/index.ts";
import { parseCsv } from "../contracts/parse-csv.ts";
import { type SinkUnderTest, type SuiteRow, sinkContract } from "../contracts/sink.ts";
import { sourceContract } from "../contracts/source.ts";

async function temporaryFolder(): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), "tidemark-connectors-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

sourceContract({
  name: "memory",
  decodes: false,
  marks: false,
  async create({ partitions, tombstones, timestamp }) {
    const options = { partitions, topic: "log", timestamp };
    const source = tombstones ? memorySource<string>({ ...options, tombstones }) : memorySource<string>(options);
    return {
      source,
      topic: "log",
      append: async (partition, values) => source.append(values, { partition }),
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
});

sourceContract({
  name: "files",
  decodes: true,
  marks: true,
  async create({ partitions, value, tombstones, timestamp }) {
    const folder = await temporaryFolder();
    const dir = join(folder.dir, "log");
    await mkdir(dir);
    const path = (partition: number) => join(dir, `${partition}.ndjson`);
    const linesOf = (values: readonly (string | null)[]) => values.map((each) => `${each ?? "null"}\n`).join("");
    for (const [partition, values] of partitions.entries()) await writeFile(path(partition), linesOf(values));
    const options = { dir, value, timestamp };
    return {
      source: tombstones ? fileSource({ ...options, tombstones }) : fileSource(options),
      topic: "log",
      append: (partition, values) => appendFile(path(partition), linesOf(values)),
      replace: (partition, values) => writeFile(path(partition), linesOf(values)),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
});

sinkContract({
  name: "memory",
  guarantee: "exactly-once",
  fences: true,
  async create() {
    const sink = memorySink<SuiteRow>();
    return { sink, readAll: async () => sink.rows, [Symbol.asyncDispose]: async () => undefined };
  },
});

sinkContract({
  name: "console",
  guarantee: "at-least-once",
  fences: false,
  async create() {
    let printed = "";
    const stream = {
      write(chunk: Uint8Array, done: () => void) {
        printed += Buffer.from(chunk).toString();
        setImmediate(done);
        return true;
      },
      on: () => undefined,
      off: () => undefined,
    };
    return {
      sink: consoleSink({ stream }),
      readAll: async () => parseNdjson(printed),
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
});

sinkContract({
  name: "files as NDJSON",
  guarantee: "exactly-once",
  fences: true,
  create: () => filesUnderTest((dir) => fileSink({ dir }), parseNdjson),
});

sinkContract({
  name: "files as CSV",
  guarantee: "exactly-once",
  fences: true,
  create: () =>
    filesUnderTest(
      (dir) => fileSink({ dir, format: "csv", columns: ["id", "text"] }),
      (csv) => parseCsv(csv).map(({ id, text }) => ({ id: Number(id), text: text ?? "" })),
    ),
});

function parseNdjson(lines: string): SuiteRow[] {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

async function filesUnderTest(
  sinkOf: (dir: string) => Sink<SuiteRow>,
  parse: (content: string) => SuiteRow[],
): Promise<SinkUnderTest> {
  const folder = await temporaryFolder();
  const dir = join(folder.dir, "deep", "out");
  const namesOf = async () => readdir(dir, { recursive: true }).catch(() => []);
  return {
    sink: sinkOf(dir),
    async readAll() {
      const names = (await namesOf()).filter((name) => !/(^|\/)[._]/.test(name)).sort();
      const contents = await Promise.all(names.map((name) => readFile(join(dir, name), "utf8")));
      return contents.flatMap(parse);
    },
    leftovers: async () => (await namesOf()).filter((name) => /^_staging.*\//.test(name)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
