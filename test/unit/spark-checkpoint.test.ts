// What a Spark checkpoint's folder says about where its query stopped, and which folders are refused with the reason.
// The folders are written out here by hand; test/spark has ones that Spark made.
import { describe, expect, test } from "vitest";
import { type CheckpointFolder, sparkCheckpoint } from "../../connectors/spark/index.ts";
import type { SavedPositions } from "../../runtime/index.ts";

type Files = Readonly<Record<string, string>>;
type Offsets = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const signal = new AbortController().signal;
const COMMIT = 'v1\n{"nextBatchWatermarkMs":0}';
const v1 = (...sources: readonly unknown[]) => ["v1", "{}", ...sources.map((each) => JSON.stringify(each))].join("\n");
const v2 = (offsets: Offsets) => `v2\n{"conf":{}}\n0:${JSON.stringify(offsets)}`;
const initial = (offsets: Offsets) => `\u0000v1\n${JSON.stringify(offsets)}`;
const at = (offset: number): Offsets => ({ t: { 0: offset } });
const position = (partition: number, offset: bigint, topic = "t") => ({ topic, partition, offset });
const range = (partition: number, fromOffset: bigint, untilOffset: bigint) => {
  return { topic: "t", partition, fromOffset, untilOffset };
};

/** A folder made of these files. `onList` is called before each look at a folder's names. */
function folderOf(files: Files, onList: (path: string) => void = () => undefined): CheckpointFolder {
  return {
    url: "made-up",
    async list(path) {
      onList(path);
      if (path === ".") return Object.keys(files).map((name) => name.split("/")[0] ?? "");
      const names = Object.keys(files).filter((name) => name.startsWith(`${path}/`));
      return names.length === 0 ? undefined : names.map((name) => name.slice(path.length + 1));
    },
    async read(path) {
      const text = files[path];
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
  };
}

function read(files: Files): Promise<SavedPositions> {
  return sparkCheckpoint({ folder: folderOf(files) }).read(signal);
}

describe("where a query stopped", () => {
  test("its last batch is complete: at the ends of that batch, and the next number is next", async () => {
    const files = { "offsets/3": v1(at(5)), "commits/3": COMMIT, "offsets/4": v1(at(9)), "commits/4": COMMIT };
    expect(await read(files)).toEqual({ positions: [position(0, 9n)], nextBatchId: 5, inFlight: undefined, notes: [] });
  });

  test("a batch was in flight: at the ends of the one before, and exactly its ranges come first", async () => {
    const files = { "offsets/3": v1(at(5)), "commits/3": COMMIT, "offsets/4": v1(at(9)) };
    const found = await read(files);
    expect(found).toMatchObject({ positions: [position(0, 5n)], nextBatchId: 4, inFlight: [range(0, 5n, 9n)] });
    expect(found.notes).toEqual([
      "batch 4 was in flight: it runs first, over the ranges that Spark planned",
      "what Spark wrote of batch 4 already is written again",
    ]);
  });

  test("the very first batch was in flight: it begins at sources/0/0", async () => {
    const files = { "offsets/0": v1(at(9)), "sources/0/0": initial(at(2)) };
    expect(await read(files)).toMatchObject({
      positions: [position(0, 2n)],
      nextBatchId: 0,
      inFlight: [range(0, 2n, 9n)],
    });
  });

  test("no batch was planned: at sources/0/0", async () => {
    const files = { "offsets/.0.crc": "", "sources/0/0": initial(at(2)) };
    expect(await read(files)).toMatchObject({ positions: [position(0, 2n)], nextBatchId: 0, inFlight: undefined });
  });

  test("the second version of the offset log says the same", async () => {
    const files = { "offsets/3": v2(at(5)), "commits/3": COMMIT, "offsets/4": v2(at(9)) };
    expect(await read(files)).toMatchObject({ positions: [position(0, 5n)], inFlight: [range(0, 5n, 9n)] });
  });

  test("a partition that is new in the batch in flight begins at 0; one that is gone is told", async () => {
    const before = { t: { 0: 5, 7: 3 } };
    const files = { "offsets/3": v1(before), "commits/3": COMMIT, "offsets/4": v1({ t: { 10: 6, 2: 4, 0: 5 } }) };
    const found = await read(files);
    expect(found.positions).toEqual([position(0, 5n), position(2, 0n), position(10, 0n)]);
    const sorted = [...(found.inFlight ?? [])].sort((a, b) => a.partition - b.partition);
    expect(sorted).toEqual([range(0, 5n, 5n), range(2, 0n, 4n), range(10, 0n, 6n)]);
    expect(found.notes).toContainEqual(expect.stringMatching(/did not read t:7 any more/));
  });

  test("Spark's other files are passed over, and its query is named", async () => {
    const id = "89bf3aeb-fcef-4aaa-89b4-dcc4fd61cb6b";
    const strange = { "offsets/.1.crc": "x", "offsets/.1.9d2.tmp": "x", "offsets/01": "x", "commits/.0.crc": "x" };
    const files = { "offsets/0": v1(at(5)), "commits/0": COMMIT, ...strange, metadata: JSON.stringify({ id }) };
    const found = await read(files);
    expect(found).toMatchObject({ positions: [position(0, 5n)], nextBatchId: 1 });
    expect(found.notes).toEqual([`Spark's query ${id}`]);
  });

  test("a topic may be called as Spark's and JavaScript's own names are", async () => {
    const files = { "offsets/0": `v1\n{}\n{"__proto__":{"0":5},"constructor":{"1":6}}`, "commits/0": COMMIT };
    expect((await read(files)).positions).toEqual([position(0, 5n, "__proto__"), position(1, 6n, "constructor")]);
  });
});

describe("refused, with the reason", () => {
  const whole = { "offsets/0": v1(at(5)), "commits/0": COMMIT };
  const cases: readonly [name: string, files: Files, reason: RegExp][] = [
    ["no checkpoint", { metadata: "{}" }, /no Spark checkpoint: it has no folder offsets/],
    ["a hole in offsets", { ...whole, "offsets/2": v1(at(7)) }, /offsets has a hole: 1 is missing/],
    [
      "a hole in commits",
      { "offsets/2": v1(at(7)), "commits/0": COMMIT, "commits/2": COMMIT },
      /commits has a hole: 1/,
    ],
    ["a batch completed and never planned", { ...whole, "commits/1": COMMIT }, /commits goes to batch 1, but offsets/],
    ["completed batches without offsets", { "offsets/.x": "", "commits/0": COMMIT }, /offsets is empty/],
    ["two batches in flight", { ...whole, "offsets/1": v1(at(6)), "offsets/2": v1(at(7)) }, /more than one batch/],
    ["a later batch and no commit at all", { "offsets/4": v1(at(6)) }, /none is complete: more than one/],
    [
      "the batch before the one in flight is gone",
      { "commits/3": COMMIT, "offsets/4": v1(at(6)) },
      /offsets\/3 is miss/,
    ],
    ["a first batch that begins nowhere", { "offsets/0": v1(at(5)) }, /sources\/0\/0 is missing/],
    ["state", { ...whole, "state/0/0/1.delta": "x" }, /keeps state/],
    ["two sources", { ...whole, "offsets/0": v1(at(5), at(6)) }, /has 2 sources/],
    ["no source", { ...whole, "offsets/0": v1() }, /no source/],
    ["a source that had no data", { ...whole, "offsets/0": "v1\n{}\n-" }, /no data yet/],
    ["a source of files", { ...whole, "offsets/0": v1({ logOffset: 3 }) }, /not of a Kafka source/],
    ["a source of numbers", { ...whole, "offsets/0": "v1\n{}\n17" }, /not of a Kafka source/],
    ["a later version", { ...whole, "offsets/0": "v3\n{}\n{}" }, /format "v3", and v1 and v2 are known/],
    ["commits of a later version", { ...whole, "commits/0": "v3\n{}" }, /format "v3"/],
    ["an empty file", { ...whole, "offsets/0": "" }, /is empty: it was not written to its end/],
    ["an empty commit", { ...whole, "commits/0": "" }, /commits\/0 is empty/],
    ["half a file", { ...whole, "offsets/0": 'v1\n{}\n{"t":{"0":' }, /is not whole/],
    ["a source without its number", { ...whole, "offsets/0": 'v2\n{}\n{"t"' }, /has no number/],
    ["offsets that JSON cannot tell", { ...whole, "offsets/0": 'v1\n{}\n{"t":{"0":9007199254740993}}' }, /no offset/],
    ["a negative offset", { ...whole, "offsets/0": v1({ t: { 0: -2 } }) }, /which is no offset/],
    ["an offset in quotes", { ...whole, "offsets/0": v1({ t: { 0: "5" } }) }, /which is no offset/],
    ["a partition that is none", { ...whole, "offsets/0": v1({ t: { "-1": 5 } }) }, /not of a Kafka source/],
    ["no offsets", { ...whole, "offsets/0": v1({}) }, /has no offsets/],
    [
      "a batch that ends before it begins",
      { ...whole, "offsets/1": v1(at(4)) },
      /ends at 4, before its beginning at 5/,
    ],
    ["a query without an id", { ...whole, metadata: "{}" }, /no query id/],
    ["a beginning of another source", { "offsets/0": v1(at(5)), "sources/0/0": "v1\n{}" }, /does not begin as/],
  ];
  test.each(cases)("%s", async (_, files, reason) => {
    await expect(read(files)).rejects.toThrow(reason);
    await expect(read(files)).rejects.toMatchObject({ code: "CONFIG", hint: expect.stringMatching(/./) });
  });

  test("a query that still runs", async () => {
    const files: Record<string, string> = { "offsets/0": v1(at(5)), "commits/0": COMMIT };
    const folder = folderOf(files, (path) => {
      if (path === "state") files["offsets/1"] = v1(at(9));
    });
    await expect(sparkCheckpoint({ folder }).read(signal)).rejects.toThrow(/changes while it is read/);
  });

  test("a folder that is not there", async () => {
    const gone = sparkCheckpoint({ folder: "/nowhere/at/all" });
    await expect(gone.read(signal)).rejects.toThrow("/nowhere/at/all is no Spark checkpoint: it is not there");
  });
});
