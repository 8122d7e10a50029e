// Many partitions with few records each: they are fetched together, each partition gets its own records, and nothing is
// kept beyond what the source may keep.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EarlyFetches } from "../../connectors/kafka/early-fetches.ts";
import type { Fetched, Fetcher, WantedFetch } from "../../connectors/kafka/fetcher.ts";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { text } from "../../runtime/index.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const PARTITIONS = 30;
const signal = AbortSignal.timeout(600_000);

let bootstrap: string;
let topics: BrokerTopics;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
  topics = new BrokerTopics(bootstrap);
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

describe("partitions with few records each", () => {
  it.each([0, 20_000, 200_000, 64 * 1024 * 1024])("give their own records when %i bytes may be kept", async (kept) => {
    const { seed, random } = seedOf("many-partitions");
    const topic = await topics.create(PARTITIONS);
    const counts = Array.from({ length: PARTITIONS }, () => 50 + numberBelow(random, 150));
    const values = counts.map((count, partition) =>
      Array.from({ length: count }, (_, at) => `${partition}:${at}:${"x".repeat(numberBelow(random, 300))}`),
    );
    // Batches of a few records, so that fetches end in the middle.
    for (let at = 0; at < 200; at += 20) {
      const some = values.flatMap((of, partition) => of.slice(at, at + 20).map((value) => message(partition, value)));
      await topics.produce(topic, some);
    }
    const source = kafkaSource({ brokers: [bootstrap], topics: topic, value: text(), maxBufferedBytes: kept });
    await using reader = await source.open({ jobName: "tests", baseDir: "/", warn: () => undefined }, signal);
    await reader.partitions(signal);
    const read: string[][] = counts.map(() => []);
    for (const done = counts.map(() => 0); done.some((each, at) => each < (counts[at] ?? 0)); ) {
      for (const [partition, count] of counts.entries()) {
        const from = done[partition] ?? 0;
        const until = Math.min(count, from + numberBelow(random, 40));
        const range = { topic, partition, fromOffset: BigInt(from), untilOffset: BigInt(until) };
        for await (const { records } of reader.read(range, { signal, skip: new Set() })) {
          read[partition]?.push(...records.map(({ value }) => value));
        }
        done[partition] = until;
      }
    }
    expect(read, `seed ${seed}`).toEqual(values);
  });
});

describe("fetches that are wanted early", () => {
  const partition = { topic: "t", topicId: "id", partition: 0 };

  /** Brings the wanted fetch itself, in place of records. */
  function collecting() {
    const requests: (readonly WantedFetch[])[] = [];
    const fetcher = {
      async tryFetchAll(wanted: readonly WantedFetch[]) {
        requests.push(wanted);
        return wanted.map((fetch) => fetch as unknown as Fetched);
      },
    } as unknown as Fetcher;
    const early = new EarlyFetches({ fetcher, fetchMaxBytes: 1000, closing: signal });
    return { early, requests };
  }

  it("wait for one another until they are worth a request", async () => {
    const { early, requests } = collecting();
    const wanted = Array.from({ length: 10 }, (_, at) => ({ partition, fromOffset: at, maxBytes: 300 }));
    const fetches = wanted.map((fetch) => early.want(fetch));
    expect(requests.map(({ length }) => length)).toEqual([4, 4]);
    expect(await Promise.all(fetches.map((fetch) => fetch.arrived()))).toEqual(wanted);
    expect(requests.map(({ length }) => length)).toEqual([4, 4, 2]);
  });

  it("begin when somebody comes for one of them", async () => {
    const { early, requests } = collecting();
    const [first, second] = [1, 2].map((fromOffset) => early.want({ partition, fromOffset, maxBytes: 1 }));
    expect(requests).toEqual([]);
    expect(await second?.arrived()).toMatchObject({ fromOffset: 2 });
    expect(await first?.arrived()).toMatchObject({ fromOffset: 1 });
    expect(requests).toHaveLength(1);
  });
});
