// The decompressors against other implementations of the same formats, and against damage and malice: an error of
// theirs, always, and never a read or a write beyond the bytes.
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { compressionsAlgorithms } from "@platformatic/kafka";
import { describe, expect, it } from "vitest";
import { DecompressionError } from "../../connectors/kafka/byte-output.ts";
import { decompress } from "../../connectors/kafka/decompress.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const lz4 = (bytes: Buffer) => Buffer.from(compressionsAlgorithms.lz4.compressSync(bytes));
const snappy = (bytes: Buffer) => Buffer.from(compressionsAlgorithms.snappy.compressSync(bytes));

/** snappy-java's framing, with blocks of `blockBytes`. */
function framedSnappy(bytes: Buffer, blockBytes: number): Buffer {
  const parts = [Buffer.from("82534e41505059000000000100000001", "hex")];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = snappy(bytes.subarray(at, at + blockBytes));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

const compressors = [
  { name: "gzip", codec: 1, compress: (bytes: Buffer) => gzipSync(bytes) },
  { name: "snappy", codec: 2, compress: snappy },
  { name: "framed snappy", codec: 2, compress: (bytes: Buffer) => framedSnappy(bytes, 1000), mayEndEarly: true },
  { name: "lz4", codec: 3, compress: lz4 },
  { name: "zstd", codec: 4, compress: (bytes: Buffer) => zstdCompressSync(bytes) },
];

/** Bytes with repetitions near and far, short and long. */
function compressible(random: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const count = 1 + numberBelow(random, random() < 0.1 ? 3000 : 30);
    const from = random() < 0.5 ? -1 : numberBelow(random, at + 1);
    for (let copied = 0; copied < count && at < length; copied++, at++) {
      bytes[at] = from < 0 || from === at ? numberBelow(random, 256) : (bytes[from + copied] ?? 0);
    }
  }
  return bytes;
}

function outcomeOf(action: () => Buffer): Buffer | DecompressionError {
  try {
    return action();
  } catch (error) {
    if (error instanceof DecompressionError) return error;
    throw error;
  }
}

describe.each(compressors)("$name", ({ codec, compress, mayEndEarly = false }) => {
  it("gives back what was compressed", () => {
    const { seed, random } = seedOf("compress");
    const lengths = [0, 1, 12, 13, 65_535, 65_536, 65_537, 300_000];
    for (let round = 0; round < 60; round++) lengths.push(numberBelow(random, 20_000));
    for (const length of lengths) {
      const bytes = compressible(random, length);
      // The framing has no block for nothing.
      if (length > 0) expect(crc32(decompress(codec, compress(bytes))), `seed ${seed}, ${length}`).toBe(crc32(bytes));
    }
    expect(decompress(codec, compress(Buffer.alloc(1_000_000, "abc")))).toHaveLength(1_000_000);
  });

  it("refuses what is cut, and survives any damage", () => {
    const { seed, random } = seedOf("damage");
    const compressed = compress(compressible(random, 3000));
    for (let length = 1; length < compressed.length; length++) {
      const cut = () => decompress(codec, compressed.subarray(0, length));
      // Frames may end after any block: then it is the number of records that tells.
      if (!mayEndEarly) expect(cut, `seed ${seed}, ${length}`).toThrow(DecompressionError);
      else
        expect(outcomeOf(cut), seed).toSatisfy((found) => found instanceof DecompressionError || found.length < 3000);
    }
    for (let round = 0; round < 3000; round++) {
      const damaged = Buffer.from(compressed);
      for (let flips = 0; flips <= round % 5; flips++) {
        damaged.writeUInt8(numberBelow(random, 256), numberBelow(random, damaged.length));
      }
      const found = outcomeOf(() => decompress(codec, damaged));
      expect(found instanceof DecompressionError || Buffer.isBuffer(found), seed).toBe(true);
    }
  });
});

it.each([
  { what: "Snappy that copies from before its beginning", codec: 2, hex: "050061" + "0502" },
  { what: "Snappy that copies from nowhere", codec: 2, hex: "050061" + "0100" },
  { what: "Snappy with more bytes than it says", codec: 2, hex: "01" + "04616262" },
  { what: "Snappy with fewer bytes than it says", codec: 2, hex: "05" + "0061" },
  { what: "LZ4 that copies from before its beginning", codec: 3, hex: "04224d18604082" + "04000000" + "10610200" },
  { what: "LZ4 that copies from nowhere", codec: 3, hex: "04224d18604082" + "04000000" + "10610000" },
  { what: "LZ4 with a dictionary", codec: 3, hex: "04224d18614082" + "00000000" },
  { what: "LZ4 of another version", codec: 3, hex: "04224d18a04082" + "00000000" },
])("$what is refused", ({ codec, hex }) => {
  expect(() => decompress(codec, Buffer.from(hex, "hex"))).toThrow(DecompressionError);
});

describe("what is more than it may be", () => {
  it("is refused before it fills the memory", () => {
    const bomb = gzipSync(Buffer.alloc(600 * 1024 * 1024));
    expect(() => decompress(1, bomb)).toThrow(DecompressionError);
    expect(() => decompress(2, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]))).toThrow(/length/);
  });

  it("is an unknown codec", () => {
    for (const codec of [5, 6, 7]) expect(() => decompress(codec, Buffer.alloc(10))).toThrow(DecompressionError);
  });
});
