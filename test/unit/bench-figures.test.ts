// How the comparison of `npm run bench` tells what it measured: speeds, ratios that count, wrong results, the page.
import { describe, expect, it } from "vitest";
import { readConsumerPerf } from "../bench/peers/kafka-client/kafka-client.ts";
import { chart } from "../bench/workloads/chart.ts";
import type { Comparison } from "../bench/workloads/compare.ts";
import { comparisonText } from "../bench/workloads/comparison-table.ts";
import { readResultLine } from "../bench/workloads/contestant.ts";
import { difference, expectedOf } from "../bench/workloads/expected.ts";
import { figuresOf, ratioOf, summaryOf } from "../bench/workloads/figures.ts";
import { percentiles } from "../bench/workloads/latency.ts";
import { merged, withMeasured } from "../bench/workloads/performance-page.ts";

const process = { spawnedAtMs: 1_000, exitedAtMs: 6_000, cpuSeconds: 3, peakMb: 100, stdout: "" };
const spreadOf = (min: number, median: number, max: number) => ({ min, median, max });

describe("a run's figures", () => {
  it("tell the work, what came after the first record, and the whole process apart", () => {
    const report = { startedAtMs: 2_000, firstRecordAtMs: 4_000, doneAtMs: 5_000 };
    expect(figuresOf(6_000, process, report)).toMatchObject({
      work: 2_000,
      fromFirst: 6_000,
      whole: 1_200,
      startSeconds: 3,
    });
  });

  it("take the whole process for the work of a program that does not tell", () => {
    const { work, fromFirst, startSeconds } = figuresOf(5_000, process, {});
    expect({ work, fromFirst, startSeconds }).toEqual({ work: 1_000, fromFirst: undefined, startSeconds: undefined });
    expect(figuresOf(5_000, process, { workMs: 500 })).toMatchObject({ work: 10_000, whole: 1_000 });
    expect(() => figuresOf(5_000, process, { workMs: Number.NaN })).toThrow("does not tell how long");
  });

  it("are summed up as medians with their ranges, and the highest peak of memory", () => {
    const figures = [1, 5, 3].map((work) => ({ ...figuresOf(1, process, {}), work, peakMb: 10 * work }));
    expect(summaryOf(figures)).toMatchObject({ work: spreadOf(1, 3, 5), peakMb: 50, rounds: 3 });
    expect(summaryOf([])).toBeUndefined();
  });
});

describe("a ratio", () => {
  it("counts when the whole ranges are apart, either way", () => {
    expect(ratioOf(spreadOf(5, 6, 7), spreadOf(1, 2, 4), 5)).toEqual({ times: 3, counts: true });
    expect(ratioOf(spreadOf(1, 2, 4), spreadOf(5, 8, 9), 5)).toEqual({ times: 0.25, counts: true });
  });

  it("does not count when they touch, or when there was one round", () => {
    expect(ratioOf(spreadOf(4, 6, 7), spreadOf(1, 2, 4), 5).counts).toBe(false);
    expect(ratioOf(spreadOf(6, 6, 6), spreadOf(2, 2, 2), 1).counts).toBe(false);
  });
});

describe("a result", () => {
  it("is compared with what the payments come to", () => {
    // Amounts grow by 0.31 with each payment: those from number 162 on are over 50.
    const { large, sums, bytes, keyBytes } = expectedOf(200);
    expect(large).toMatchObject({ rows: 38, ids: ((162 + 199) * 38) / 2, cents: ((162 + 199) * 38 * 31) / 2 });
    expect(sums).toEqual({ users: 200, cents: (199 * 200 * 31) / 2 });
    expect(bytes["records"]).toBe(200);
    expect(keyBytes).toBeLessThan(200 * 6);
  });

  it("that is not as it must be says in what", () => {
    expect(difference({ rows: 2, ids: 3 }, { rows: 2, ids: 3 })).toBeUndefined();
    expect(difference({ rows: 2, ids: 3 }, { rows: 1 })).toBe("rows 1 instead of 2, ids missing instead of 3");
    expect(difference({ rows: 2, ids: 3 }, { rows: 2 }, ["rows"])).toBeUndefined();
  });

  it("is read from the line RESULT among others", () => {
    expect(readResultLine('log\nRESULT {"digest":{"rows":1}}\nlog')).toEqual({ digest: { rows: 1 } });
    expect(() => readResultLine("log")).toThrow("no line RESULT");
  });

  it("of the Java consumer is taken from its line of figures", () => {
    const line =
      "2026-11-25 01:00:00:000, 2026-11-25 01:00:05:250, 95.3674, 18.2, 1000000, 190476.2, 3250, 2000, 47.6, 500000.0";
    const report = readConsumerPerf(`start.time, …\n${line}\n`, { bytes: { bytes: 94_000_000 }, keyBytes: 6_000_000 });
    expect(report.digest).toEqual({ records: 1_000_000, bytes: 94_000_000 });
    expect((report.doneAtMs ?? 0) - (report.startedAtMs ?? 0)).toBe(5_250);
    expect((report.doneAtMs ?? 0) - (report.firstRecordAtMs ?? 0)).toBe(2_000);
    const fewer = readConsumerPerf(line, { bytes: { bytes: 94_001_000 }, keyBytes: 6_000_000 });
    expect(fewer.digest?.["bytes"]).not.toBe(94_001_000);
  });
});

const figures = (work: number) => ({ ...figuresOf(1_000_000, process, { startedAtMs: 1_000 }), work });
const comparison: Comparison = {
  ...{ kind: "throughput", workload: "w1", title: "count", records: 1_000_000, batch: 1_000_000, rounds: 2 },
  rows: [
    {
      label: "Tidemark, json<T>()",
      side: "ours",
      atLeastOnce: false,
      summary: summaryOf([figures(4e6), figures(5e6)]),
      failures: [],
    },
    { label: "Peer", side: "peer", atLeastOnce: true, summary: summaryOf([figures(1e6), figures(2e6)]), failures: [] },
    { label: "Broken", side: "peer", atLeastOnce: false, summary: undefined, failures: ["WRONG RESULT: rows 1"] },
  ],
};

describe("the table", () => {
  it("has a row for each program, ratios, and what was wrong instead of figures", () => {
    const text = comparisonText(comparison);
    expect(text).toContain("4,500 [4,000–5,000]");
    expect(text).toMatch(/\| Peer +\| +3\.0 ×; –; \(1\.0 ×\) \|/);
    expect(text).toMatch(/\| Broken +\| +– \|/);
    expect(text).toContain("Peer (at least once)");
    expect(text).toContain("- Broken: WRONG RESULT: rows 1");
  });

  it("is drawn as bars that keep to the picture", () => {
    const picture = chart([comparison]);
    expect(picture).toContain("Tidemark, json&lt;T&gt;()");
    const widths = [...picture.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toEqual([378, 126]);
  });
});

it("percentiles are of the sorted numbers", () => {
  const numbers = Array.from({ length: 200 }, (_, index) => 199 - index);
  expect(percentiles(numbers)).toEqual([100, 198]);
});

describe("the page", () => {
  it("keeps what stands around the measured part", () => {
    const [begin, end] = [
      "<!-- measured: `npm run bench` writes what is below -->",
      "<!-- end of what was measured -->",
    ];
    const page = withMeasured(`before\n${begin}\nold\n${end}\nafter\n`, "new");
    expect(page).toBe(`before\n${begin}\n\nnew\n\n${end}\nafter\n`);
    expect(withMeasured(page, "new")).toBe(page);
    expect(() => withMeasured("no markers", "new")).toThrow("must have the lines");
  });

  it("keeps the latest measurement of each workload", () => {
    const of = (workload: string, date: string) => ({ comparison: { ...comparison, workload }, date }) as never;
    const all = merged([of("w1", "old"), of("w0", "old")], [of("w1", "new")]);
    expect(all.map(({ date, comparison: { workload } }) => `${workload} ${date}`)).toEqual(["w0 old", "w1 new"]);
  });
});
