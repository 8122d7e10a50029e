// What the console, memory and rate connectors do beyond the contract suites.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { consoleSink, type OutputStream } from "../../connectors/console/index.ts";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import { rateSource } from "../../connectors/rate/index.ts";
import { ConfigError, DataLossError, type Position, type Source, type SourceRecord } from "../../runtime/index.ts";

const { signal } = new AbortController();
const context = { jobName: "job", baseDir: process.cwd(), warn: () => undefined };
const skip: ReadonlySet<bigint> = new Set();

async function readAll<V>(
  source: Source<SourceRecord<V>>,
  { topic, partition }: Position,
  from: bigint,
  until: bigint,
) {
  await using reader = await source.open(context, signal);
  const records: SourceRecord<V>[] = [];
  const range = { topic, partition, fromOffset: from, untilOffset: until };
  for await (const chunk of reader.read(range, { signal, skip })) records.push(...chunk.records);
  return records;
}

describe("consoleSink", () => {
  async function print(rows: readonly unknown[], stream: OutputStream): Promise<void> {
    const sink = consoleSink({ stream });
    await using writer = await sink.open({ ...context, lineageId: "0123456789abcdef", epoch: 1n }, signal);
    const batch = { jobName: "job", lineageId: "0123456789abcdef", batchId: 0, planHash: "aa", ranges: [], signal };
    const write = await writer.begin(batch);
    if (write === "already-written") throw new Error("nothing was written");
    for (const row of rows) {
      const encoder = sink.encoder();
      encoder.add(row);
      const encoded = encoder.take();
      if (encoded !== undefined) await write.write(encoded);
    }
    await write.commit();
  }

  it("prints bigints as strings", async () => {
    let printed = "";
    const stream: OutputStream = {
      write(chunk, done) {
        printed += Buffer.from(chunk).toString();
        done();
        return true;
      },
      on: () => undefined,
      off: () => undefined,
    };
    await print([{ offset: 12n, nested: [1n] }, "text"], stream);
    expect(printed).toBe('{"offset":"12","nested":["1"]}\n"text"\n');
  });

  it("gives the stream the next chunk only when it has taken the last", async () => {
    let waiting = 0;
    let most = 0;
    const stream: OutputStream = {
      write(_chunk, done) {
        most = Math.max(most, ++waiting);
        setImmediate(() => {
          waiting--;
          done();
        });
        return false;
      },
      on: () => undefined,
      off: () => undefined,
    };
    await print([1, 2, 3], stream);
    expect(most).toBe(1);
  });

  it("says that nobody reads the output any more", async () => {
    const closed = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
    const stream: OutputStream = {
      write(_chunk, done) {
        done(closed);
        return false;
      },
      on: () => undefined,
      off: () => undefined,
    };
    await expect(print([1], stream)).rejects.toMatchObject({ code: "OUTPUT_CLOSED", retryable: false });
  });

  it("outlives a reader of stdout that goes away", async () => {
    const connector = new URL("../../connectors/console/index.ts", import.meta.url).href;
    const program = `
      import { consoleSink } from ${JSON.stringify(connector)};
      const { signal } = new AbortController();
      const sink = consoleSink();
      const writer = await sink.open({}, signal);
      const printing = async () => {
        for (;;) {
          const write = await writer.begin({});
          const encoder = sink.encoder();
          for (let row = 0; row < 1000; row++) encoder.add({ row });
          await write.write(encoder.take());
          await write.commit();
        }
      };
      const error = await printing().catch((thrown) => thrown);
      setImmediate(() => process.stderr.write(error.code));
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const [exitCode] = await once(child, "close");
    expect({ said, exitCode }).toEqual({ said: "OUTPUT_CLOSED", exitCode: 0 });
  });

  it("refuses a row that is nothing in JSON", () => {
    expect(() => consoleSink().encoder().add(undefined)).toThrow("undefined");
  });
});

describe("memorySource", () => {
  it("is one partition of records, or several partitions", async () => {
    await using one = await memorySource({ records: ["a", "b"] }).open(context, signal);
    expect(await one.partitions(signal)).toMatchObject([{ topic: "memory", partition: 0, latest: 2n }]);
    await using two = await memorySource({ partitions: [["a"], []], topic: "t" }).open(context, signal);
    expect(await two.partitions(signal)).toMatchObject([
      { topic: "t", partition: 0, latest: 1n },
      { topic: "t", partition: 1, latest: 0n },
    ]);
  });

  it("does not see changes of the arrays it was made from", async () => {
    const records = ["a"];
    const source = memorySource({ records });
    records.push("b");
    await using reader = await source.open(context, signal);
    expect(await reader.partitions(signal)).toMatchObject([{ latest: 1n }]);
  });

  it("refuses both records and partitions, or neither, and partitions that are no numbers", () => {
    expect(() => memorySource({})).toThrow(ConfigError);
    expect(() => memorySource({ records: [], partitions: [] })).toThrow(ConfigError);
    expect(() => memorySource({ records: [1] }).append([2], { partition: -1 })).toThrow(ConfigError);
  });

  it("needs to be told where values have their time", async () => {
    await using reader = await memorySource({ records: ["a"] }).open(context, signal);
    await expect(reader.offsetsAtTime(0, signal)).rejects.toThrow(ConfigError);
  });
});

describe("memorySink", () => {
  it("refuses an epoch below the newest, but not for another lineage", async () => {
    const sink = memorySink<number>();
    const at = { ...context, lineageId: "a" };
    await sink.open({ ...at, epoch: 7n }, signal);
    await expect(sink.open({ ...at, epoch: 6n }, signal)).rejects.toMatchObject({ code: "SINK_FENCED" });
    await sink.open({ ...at, lineageId: "b", epoch: 1n }, signal);
    await sink.open({ ...at, epoch: 7n }, signal);
  });
});

describe("rateSource", () => {
  const options = { recordsPerSecond: 7, partitions: 3, now: () => 10_000 };

  it("ends where the clock says, records due now excluded", async () => {
    await using reader = await rateSource(options).open(context, signal);
    // 70 records are due before 10,000 ms: numbers 0 to 69, in turn over three partitions.
    expect(await reader.partitions(signal)).toMatchObject([{ latest: 24n }, { latest: 23n }, { latest: 23n }]);
  });

  it("gives the same records at every reading, each numbered once over all partitions", async () => {
    const numbers: number[] = [];
    for (const partition of [0, 1, 2]) {
      const position = { topic: "rate", partition, offset: 0n };
      const first = await readAll(rateSource(options), position, 0n, 20n);
      expect(await readAll(rateSource({ ...options, now: () => 99_999 }), position, 0n, 20n)).toEqual(first);
      numbers.push(...first.map(({ value }) => value.value));
      for (const { value, timestamp } of first) {
        expect(timestamp).toBe(Math.floor((value.value * 1000) / 7));
        expect(value.timestampMs).toBe(timestamp);
      }
    }
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, number) => number));
  });

  it("finds the first record at or after any time", async () => {
    await using reader = await rateSource(options).open(context, signal);
    for (const timestampMs of [0, 1, 142, 143, 500, 1000, 5001, 9999]) {
      for (const position of await reader.offsetsAtTime(timestampMs, signal)) {
        const around = await readAll(rateSource(options), position, 0n, position.offset + 1n);
        expect(around.at(-1)?.timestamp).toBeGreaterThanOrEqual(timestampMs);
        if (position.offset > 0n) expect(around.at(-2)?.timestamp).toBeLessThan(timestampMs);
      }
    }
    expect(await reader.offsetsAtTime(1e15, signal)).toMatchObject([{ offset: 24n }, { offset: 23n }, { offset: 23n }]);
  });

  it("is exact where numbers of today's size would round", async () => {
    const now = () => Date.UTC(2030, 0, 1);
    const source = rateSource({ recordsPerSecond: 1_000_000, partitions: 1, now });
    await using reader = await source.open(context, signal);
    const [bounds] = await reader.partitions(signal);
    expect(bounds?.latest).toBe(BigInt(now()) * 1000n);
  });

  it("leaves out what is to be skipped, and has no other partitions", async () => {
    await using reader = await rateSource(options).open(context, signal);
    const range = { topic: "rate", partition: 0, fromOffset: 5n, untilOffset: 8n };
    const offsets: bigint[] = [];
    for await (const { records } of reader.read(range, { signal, skip: new Set([6n]) })) {
      offsets.push(...records.map(({ offset }) => offset));
    }
    expect(offsets).toEqual([5n, 7n]);
    const nowhere = { topic: "rate", partition: 3, offset: 0n };
    await expect(readAll(rateSource(options), nowhere, 0n, 1n)).rejects.toBeInstanceOf(DataLossError);
  });

  it("is another log at another rate", async () => {
    await using reader = await rateSource(options).open(context, signal);
    const marked = await reader.mark([{ topic: "rate", partition: 0, offset: 5n }], signal);
    expect(await reader.mismatches(marked, signal)).toEqual([]);
    await using other = await rateSource({ ...options, recordsPerSecond: 8 }).open(context, signal);
    expect(await other.mismatches(marked, signal)).toMatchObject([{ position: marked[0] }]);
  });

  it("refuses numbers out of bounds", () => {
    for (const recordsPerSecond of [0, -1, 1.5, 2_000_000, Number.NaN]) {
      expect(() => rateSource({ recordsPerSecond })).toThrow(ConfigError);
    }
    expect(() => rateSource({ recordsPerSecond: 1, partitions: 0 })).toThrow(ConfigError);
  });
});
