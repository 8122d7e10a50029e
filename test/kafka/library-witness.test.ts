// The decoder against the Kafka library's own, on random logs: every codec, headers, nulls, transactions that overlap,
// are committed, aborted or still open, and fetches that begin and end anywhere. Both must see the same records. Which
// of them belong to aborted transactions is said by whoever made the log. More of it at night.
import { crc32c, createRecordsBatch, Reader, readRecordsBatches } from "@platformatic/kafka";
import { expect, it } from "vitest";
import type { AbortedTransaction } from "../../connectors/kafka/aborted-transactions.ts";
import { FetchedRecords } from "../../connectors/kafka/fetched-records.ts";
import { bytes, RecordDecoder, type SourceRecord } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const ROUNDS = process.env["NIGHTLY"] === undefined ? 100 : 10_000;
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const PRODUCERS = [7n, 8n, 2n ** 40n];
const partition = { topic: "t", partition: 1 };

interface Log {
  readonly bytes: Buffer;
  readonly endOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Offsets that a reader of committed records must not see. */
  readonly hidden: ReadonlySet<number>;
}

type Random = () => number;

function randomBytes(random: Random, bound: number): Buffer {
  const letters = 1 + numberBelow(random, 256);
  return Buffer.from(Array.from({ length: numberBelow(random, bound) }, () => numberBelow(random, letters)));
}

function orNull(random: Random, make: () => Buffer): Buffer | undefined {
  return numberBelow(random, 5) === 0 ? undefined : make();
}

/** A batch of random records; its attributes and numbers are set as a broker keeps them. */
function randomBatch(random: Random, baseOffset: number, attributes: number, producerId: bigint): [Buffer, number] {
  const count = 1 + numberBelow(random, 30);
  const messages = Array.from({ length: count }, () => ({
    topic: "t",
    key: orNull(random, () => randomBytes(random, 20)) as Buffer,
    value: orNull(random, () => randomBytes(random, numberBelow(random, 10) === 0 ? 20_000 : 200)) as Buffer,
    timestamp: 1_700_000_000_000n + BigInt(numberBelow(random, 1e6) - numberBelow(random, 1e6)),
    headers: new Map(
      Array.from({ length: numberBelow(random, 10) === 0 ? numberBelow(random, 4) : 0 }, (_, at) => [
        Buffer.from(`h${at}`),
        randomBytes(random, 30),
      ]),
    ),
  }));
  const compression = CODECS[numberBelow(random, CODECS.length)] ?? "none";
  return [placed(createRecordsBatch(messages, { compression }).buffer, baseOffset, attributes, producerId), count];
}

function marker(baseOffset: number, isAbort: boolean, producerId: bigint): Buffer {
  const key = Buffer.from([0, 0, 0, isAbort ? 0 : 1]);
  const message = { topic: "t", key, value: Buffer.alloc(6), timestamp: 1_700_000_000_000n };
  return placed(createRecordsBatch([message], {}).buffer, baseOffset, TRANSACTIONAL | CONTROL, producerId);
}

function placed(written: Buffer, baseOffset: number, attributes: number, producerId: bigint): Buffer {
  const batch = Buffer.from(written);
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeUInt16BE(batch.readUInt16BE(21) | attributes, 21);
  batch.writeBigInt64BE(producerId, 43);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

function randomLog(random: Random): Log {
  const parts: Buffer[] = [];
  const aborted: AbortedTransaction[] = [];
  const hidden = new Set<number>();
  const open = new Map<bigint, number[]>();
  let offset = numberBelow(random, 1000);
  const end = (producerId: bigint) => {
    const offsets = open.get(producerId);
    if (offsets === undefined) return;
    open.delete(producerId);
    const isAbort = numberBelow(random, 2) === 0;
    const [firstOffset = 0] = offsets;
    if (isAbort) aborted.push({ producerId, firstOffset: BigInt(firstOffset) });
    if (isAbort) for (const each of offsets) hidden.add(each);
    parts.push(marker(offset, isAbort, producerId));
    offset++;
  };
  for (let batches = 1 + numberBelow(random, 12); batches > 0; batches--) {
    const producerId = PRODUCERS[numberBelow(random, PRODUCERS.length)] ?? 7n;
    const isTransactional = numberBelow(random, 2) === 0;
    const [batch, count] = randomBatch(
      random,
      offset,
      isTransactional ? TRANSACTIONAL : 0,
      isTransactional ? producerId : -1n,
    );
    parts.push(batch);
    const offsets = Array.from({ length: count }, (_, at) => offset + at);
    if (isTransactional) open.set(producerId, [...(open.get(producerId) ?? []), ...offsets]);
    offset += count;
    if (numberBelow(random, 3) === 0) end(producerId);
    // What compaction leaves.
    if (numberBelow(random, 4) === 0) offset += numberBelow(random, 50);
  }
  // A reader of committed records stops at the last stable offset: nothing is open in what it is given.
  for (const producerId of [...open.keys()]) end(producerId);
  return { bytes: Buffer.concat(parts), endOffset: offset, aborted, hidden };
}

/** One record in words, with nothing left out. */
function lineOf(
  offset: number,
  timestamp: number,
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: string[],
) {
  const hex = (part: Uint8Array | null) => (part === null ? "null" : Buffer.from(part).toString("hex"));
  return `${offset} ${timestamp} ${hex(key)} ${hex(value)} ${headers.join()}`;
}

function seenByLibrary(log: Log, from: number, until: number, readCommitted: boolean): string[] {
  return readRecordsBatches(Reader.from(log.bytes)).flatMap((batch) =>
    batch.records.flatMap(({ offsetDelta, timestampDelta, key, value, headers }) => {
      const offset = Number(batch.firstOffset) + offsetDelta;
      const isSeen = offset >= from && offset < until && (batch.attributes & CONTROL) === 0;
      if (!isSeen || (readCommitted && log.hidden.has(offset))) return [];
      const written = headers.map(([name, content]) => `${name?.toString()}=${content?.toString("hex") ?? ""}`);
      return [lineOf(offset, Number(batch.firstTimestamp + timestampDelta), key, value, written)];
    }),
  );
}

async function seenByUs(log: Log, from: number, until: number, readCommitted: boolean, random: Random) {
  const decoder = new RecordDecoder({ ...partition, value: bytes(), key: bytes(), tombstones: true, skip: new Set() });
  const aborted = readCommitted ? log.aborted : undefined;
  const fetched = new FetchedRecords({ partition, bytes: log.bytes, fromOffset: from, aborted });
  const records: SourceRecord<Uint8Array | null, Uint8Array | null>[] = [];
  while (fetched.nextOffset < Math.min(until, fetched.endOffset)) {
    fetched.decode(decoder, until, { records: 1 + numberBelow(random, 50), bytes: 1e9 });
    records.push(...(await decoder.take()).records);
  }
  // Looked at only now: what is read on access must still be there.
  return records.map(({ offset, timestamp, key, value, headers }) => {
    const written = headers.map(([name, content]) => `${name}=${Buffer.from(content).toString("hex")}`);
    return lineOf(Number(offset), timestamp, key, value, written);
  });
}

it("sees the records that the library's own decoder sees, on random logs of all codecs", async () => {
  const { seed, random } = seedOf("library-witness");
  let count = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const log = randomLog(random);
    const from = numberBelow(random, 3) === 0 ? numberBelow(random, log.endOffset) : 0;
    const until = numberBelow(random, 3) === 0 ? from + numberBelow(random, 300) : log.endOffset;
    const readCommitted = numberBelow(random, 3) > 0;
    const expected = seenByLibrary(log, from, until, readCommitted);
    const found = await seenByUs(log, from, until, readCommitted, random);
    count += found.length;
    if (found.join("\n") !== expected.join("\n")) expect(found, `seed ${seed}, round ${round}`).toEqual(expected);
  }
  expect(count, seed).toBeGreaterThan(ROUNDS * 10);
});
