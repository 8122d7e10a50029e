// The entries' format: what is written is read back, and nothing else is believed.
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointCorruptError } from "../../runtime/errors.ts";
import { decodeEntry, type EntryBody, encodeEntry, type JournalEntry } from "../../runtime/journal/entry.ts";
import { makePlan } from "../../runtime/plan/plan.ts";

const lineageId = "00112233445566778899aabbccddeeff";
const plan = makePlan(lineageId, 7, [
  { topic: "a", partition: 0, fromOffset: 0n, untilOffset: 2n ** 62n, untilMark: "12:ab" },
  { topic: 'ü\n"', partition: 11, fromOffset: 4n, untilOffset: 4n },
]);
const positions = [
  { topic: "a", partition: 0, offset: 9n, mark: "m" },
  { topic: "a", partition: 1, offset: 0n },
];
const record = { topic: "a", partition: 0, offset: 3n, phase: "pipeline", error: "no" } as const;
const bodies: EntryBody[] = [
  { kind: "begin", purpose: "run", host: "h", pid: 12 },
  { kind: "plan", plan },
  { kind: "poison", batchId: 7, planHash: plan.hash, records: [record] },
  {
    kind: "complete",
    batchId: 6,
    planHash: "00",
    positions,
    counts: { poison: 0, alreadyWritten: true, durationMs: 3 },
    lost: [],
    next: plan,
  },
  {
    kind: "complete",
    batchId: 6,
    planHash: "00",
    positions,
    counts: { records: 1, rows: 2, tombstones: 3, poison: 1, alreadyWritten: false, durationMs: 3 },
    lost: [{ topic: "a", partition: 0, fromOffset: 1n, untilOffset: 2n }],
  },
  {
    kind: "commit",
    firstBatchId: 3,
    batchId: 6,
    ranges: plan.ranges,
    positions,
    counts: { records: 1, rows: 2, tombstones: 3, poison: 1, alreadyWritten: false, durationMs: 3 },
    lost: [{ topic: "a", partition: 0, fromOffset: 1n, untilOffset: 2n }],
    poison: [record],
  },
  { kind: "reset", positions, nextBatchId: 4, reason: "to earliest", abandonedBatchId: 3 },
  { kind: "reset", positions: [], nextBatchId: 0, reason: "to earliest" },
  { kind: "moving", to: "file:x" },
  { kind: "arrived", from: "file:y" },
];
const header = { jobName: "job", lineageId, epoch: 3n, runId: "0123456789abcdef", atMs: 1_700_000_000_000 };
const entryOf = (body: EntryBody): JournalEntry => ({ ...header, body });
const encoded = (text: string) => new TextEncoder().encode(text);

describe("checkpoint entries", () => {
  test.each(bodies)("$kind comes back as it was", (body) => {
    expect(decodeEntry(encodeEntry(entryOf(body)), "entry 0")).toEqual(entryOf(body));
  });

  test("the format is fixed: this line is read by every later version", () => {
    expect(new TextDecoder().decode(encodeEntry(entryOf({ kind: "moving", to: "file:x" })))).toBe(
      'tidemark/1 569d1846 {"job":"job","lineage":"00112233445566778899aabbccddeeff","epoch":"3",' +
        '"run":"0123456789abcdef","atMs":1700000000000,"kind":"moving","to":"file:x"}',
    );
  });

  test("an entry of a later format is refused and says what to type", () => {
    const read = () => decodeEntry(encoded("tidemark/2 something else entirely"), "entry 4");
    expect(read).toThrow(/entry 4 has format 2/);
    expect(read).toThrow(
      expect.objectContaining({ code: "FUTURE_FORMAT", hint: expect.stringContaining("npm install") }),
    );
  });

  test("a plan that does not match its hash is corrupt", () => {
    const json = new TextDecoder()
      .decode(encodeEntry(entryOf({ kind: "plan", plan })))
      .slice("tidemark/1 00000000 ".length);
    const changed = json.replace('"4","4"', '"4","5"');
    expect(changed).not.toBe(json);
    const sum = crc32(changed).toString(16).padStart(8, "0");
    expect(() => decodeEntry(encoded(`tidemark/1 ${sum} ${changed}`), "entry 1")).toThrow(/does not match its hash/);
  });

  test("any changed or missing byte is noticed", () => {
    for (const body of bodies) {
      const bytes = encodeEntry(entryOf(body));
      for (let index = 0; index < bytes.length; index++) {
        const bit = bytes.slice();
        bit[index] = (bit[index] ?? 0) ^ (1 << (index % 8));
        expect(() => decodeEntry(bit, "entry 1"), `byte ${index} of ${body.kind}`).toThrow(CheckpointCorruptError);
        expect(() => decodeEntry(bytes.slice(0, index), "entry 1")).toThrow(CheckpointCorruptError);
      }
    }
  });

  test("well-formed JSON of any shape is an error or an entry, never something else", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...bodies.map(({ kind }) => kind)), (value, kind) => {
        const object = typeof value === "object" && !Array.isArray(value) ? value : { value };
        const json = JSON.stringify({ job: "job", lineage: lineageId, epoch: "3", run: "r", atMs: 1, ...object, kind });
        const text = `tidemark/1 ${crc32(json).toString(16).padStart(8, "0")} ${json}`;
        try {
          expect(decodeEntry(encoded(text), "entry 1").body.kind).toBe(kind);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointCorruptError);
        }
      }),
    );
  });
});
