// What the next batch covers, and what a log has lost: arithmetic on positions and bounds.
import { describe, expect, test } from "vitest";
import { formatRange } from "../../runtime/contract/positions.ts";
import { lostAtPositions, lostParts, type PlanInput, planRanges, withoutLost } from "../../runtime/plan/plan-ranges.ts";

const bound = (partition: number, earliest: bigint, latest: bigint) => ({ topic: "t", partition, earliest, latest });
const at = (partition: number, offset: bigint) => ({ topic: "t", partition, offset });
const range = (partition: number, fromOffset: bigint, untilOffset: bigint) => ({
  topic: "t",
  partition,
  fromOffset,
  untilOffset,
});
const plan = (input: Partial<PlanInput>) => {
  const defaults = { positions: [], starts: [], bounds: [], ends: undefined, limit: undefined, batchId: 0 };
  const { ranges, lag } = planRanges({ ...defaults, ...input });
  return { ranges: ranges.map(formatRange), lag };
};

describe("planning ranges", () => {
  test("each range begins where the last batch ended and ends at the log's end", () => {
    expect(plan({ positions: [at(0, 5n), at(1, 7n)], bounds: [bound(0, 0n, 9n), bound(1, 0n, 7n)] })).toEqual({
      ranges: ["t:0:5-9"],
      lag: 0n,
    });
  });

  test("a partition seen for the first time is planned even when it is empty, so that its start is recorded", () => {
    expect(plan({ starts: [at(0, 3n)], bounds: [bound(0, 3n, 3n)] }).ranges).toEqual(["t:0:3-3"]);
  });

  test("the limit is shared and the rest is lag", () => {
    const bounds = [bound(0, 0n, 101n), bound(1, 0n, 11n), bound(2, 0n, 1n)];
    const positions = [at(0, 0n), at(1, 0n), at(2, 0n)];
    expect(plan({ positions, bounds, limit: 10 })).toEqual({ ranges: ["t:0:0-8", "t:1:0-1", "t:2:0-1"], lag: 103n });
  });

  test("nothing is read at or beyond an end", () => {
    const ends = [at(0, 4n)];
    expect(
      plan({ positions: [at(0, 2n), at(1, 0n)], bounds: [bound(0, 0n, 9n), bound(1, 0n, 3n)], ends }).ranges,
    ).toEqual(["t:0:2-4", "t:1:0-3"]);
    expect(plan({ positions: [at(0, 6n)], bounds: [bound(0, 0n, 9n)], ends }).ranges).toEqual([]);
  });

  test("a range still begins at the position when the log begins later, and the limit counts what can be read", () => {
    expect(plan({ positions: [at(0, 2n)], bounds: [bound(0, 100n, 120n)], limit: 5 })).toEqual({
      ranges: ["t:0:2-105"],
      lag: 15n,
    });
  });

  test("ranges are sorted by topic and partition", () => {
    const bounds = [bound(10, 0n, 1n), bound(2, 0n, 1n), { topic: "a", partition: 3, earliest: 0n, latest: 1n }];
    const starts = bounds.map(({ topic, partition }) => ({ topic, partition, offset: 0n }));
    expect(plan({ starts, bounds }).ranges).toEqual(["a:3:0-1", "t:2:0-1", "t:10:0-1"]);
  });
});

describe("what is lost", () => {
  test("the part before the log's beginning and the part behind its end, with the reason", () => {
    const lost = lostParts([range(0, 5n, 50n)], [bound(0, 10n, 40n)]);
    expect(lost.map((part) => `${formatRange(part)} ${part.reason}`)).toEqual([
      "t:0:5-10 the log begins at 10 now",
      "t:0:40-50 the log ends at 40 now",
    ]);
  });

  test("all of it when the partition is gone or the log begins behind it", () => {
    expect(lostParts([range(0, 5n, 9n)], []).map(formatRange)).toEqual(["t:0:5-9"]);
    expect(lostParts([range(0, 5n, 9n)], [bound(0, 20n, 30n)]).map(formatRange)).toEqual(["t:0:5-9"]);
  });

  test("empty ranges and ranges that are there lose nothing", () => {
    expect(lostParts([range(0, 5n, 5n), range(1, 0n, 3n)], [bound(1, 0n, 3n)])).toEqual([]);
  });

  test("a position behind the end means that the log shrank, one before the beginning that records expired", () => {
    const lost = lostAtPositions([at(0, 9n), at(1, 2n), at(2, 0n)], [bound(0, 0n, 4n), bound(1, 3n, 8n)]);
    expect(lost.map(formatRange)).toEqual(["t:0:4-9", "t:1:2-3"]);
  });

  test("a range without its lost parts is what is left to read", () => {
    const parts = withoutLost(range(0, 0n, 100n), [range(0, 90n, 100n), range(0, 10n, 20n), range(1, 30n, 40n)]);
    expect(parts.map(formatRange)).toEqual(["t:0:0-10", "t:0:20-90"]);
    expect(withoutLost(range(0, 0n, 10n), [range(0, 0n, 10n)])).toEqual([]);
  });
});
