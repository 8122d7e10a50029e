// What a job does next between two batches, under every trigger.
import { describe, expect, test } from "vitest";
import { type DecideInput, decide } from "../../runtime/plan/decide.ts";

const bound = (latest: bigint) => ({ topic: "t", partition: 0, earliest: 0n, latest });
const at = (offset: bigint) => ({ topic: "t", partition: 0, offset });
const base: DecideInput = {
  trigger: "continuous",
  positions: [at(0n)],
  starts: [],
  bounds: [bound(0n)],
  ends: undefined,
  batchId: 1,
  maxOffsets: undefined,
  minOffsets: 1,
  maxDelayMs: 1_000,
  mustRecordStarts: false,
  isBounded: false,
  nowMs: 10_000,
  runBeganMs: 10_000,
  lastPlannedMs: undefined,
  waitingSinceMs: 10_000,
  planned: 0,
  pollMs: 100,
};
const next = (change: Partial<DecideInput>) => {
  const decision = decide({ ...base, ...change });
  if (decision.do === "plan") return `plan to ${decision.ranges.map((range) => range.untilOffset).join()}`;
  return decision.do === "wait" ? `wait ${decision.ms}` : `end: ${decision.reason}`;
};

describe("continuous", () => {
  test("plans as soon as there is data and looks again after a while when there is none", () => {
    expect(next({ bounds: [bound(3n)] })).toBe("plan to 3");
    expect(next({})).toBe("wait 100");
  });

  test("ends at the ending offsets", () => {
    const bounded = { ends: [at(2n)], isBounded: true, bounds: [bound(9n)] };
    expect(next(bounded)).toBe("plan to 2");
    expect(next({ ...bounded, positions: [at(2n)] })).toBe("end: end-reached");
  });

  test("waits for ending offsets that are not there yet", () => {
    expect(next({ ends: [at(20n)], isBounded: true, bounds: [bound(9n)], positions: [at(9n)] })).toBe("wait 100");
  });
});

describe("an interval", () => {
  const trigger = { intervalMs: 500 };
  test("the first batch begins at once, the next at whole intervals since the run began", () => {
    expect(next({ trigger, bounds: [bound(3n)] })).toBe("plan to 3");
    expect(next({ trigger, bounds: [bound(3n)], lastPlannedMs: 10_000, nowMs: 10_120 })).toBe("wait 380");
    expect(next({ trigger, bounds: [bound(3n)], lastPlannedMs: 10_600, nowMs: 10_700 })).toBe("wait 300");
  });

  test("what waits until the next one is the lag, limited or not", () => {
    const standing = {
      ...base,
      trigger,
      bounds: [bound(9n)],
      positions: [at(2n)],
      lastPlannedMs: 10_000,
      nowMs: 10_120,
    };
    expect(decide({ ...standing, maxOffsets: 4 })).toEqual({ do: "wait", until: "time", ms: 380, lag: 7n });
    expect(decide({ ...standing, maxOffsets: 4, minOffsets: 5, nowMs: 10_500 })).toMatchObject({ do: "wait", lag: 7n });
  });

  test("a batch that is late begins at once", () => {
    expect(next({ trigger, bounds: [bound(3n)], lastPlannedMs: 10_000, nowMs: 11_700 })).toBe("plan to 3");
  });
});

describe("once", () => {
  test("is one batch of all there is, ignoring limits", () => {
    const once = { trigger: "once", bounds: [bound(50n)], maxOffsets: 5, minOffsets: 100 } as const;
    expect(next(once)).toBe("plan to 50");
    expect(next({ ...once, planned: 1 })).toBe("end: nothing-left");
    expect(next({ ...once, bounds: [bound(0n)] })).toBe("end: nothing-left");
  });
});

describe("available-now", () => {
  test("over 15 records with limit 5 is exactly 3 batches", () => {
    const input = {
      trigger: "available-now",
      bounds: [bound(40n)],
      ends: [at(15n)],
      isBounded: true,
      maxOffsets: 5,
    } as const;
    const seen: string[] = [];
    let offset = 0n;
    for (let planned = 0; planned < 9; planned++) {
      const decision = decide({ ...base, ...input, positions: [at(offset)], planned });
      if (decision.do !== "plan") {
        seen.push(decision.do === "end" ? decision.reason : "wait");
        break;
      }
      offset = decision.ranges[0]?.untilOffset ?? 0n;
      seen.push(String(offset));
    }
    expect(seen).toEqual(["5", "10", "15", "nothing-left"]);
  });

  test("does not wait for minOffsetsPerBatch", () => {
    expect(
      next({ trigger: "available-now", bounds: [bound(3n)], ends: [at(3n)], isBounded: true, minOffsets: 10 }),
    ).toBe("plan to 3");
  });
});

describe("minOffsetsPerBatch", () => {
  const few = { minOffsets: 10, bounds: [bound(4n)] };
  test("waits until enough offsets are there", () => {
    expect(next(few)).toBe("wait 100");
    expect(next({ ...few, bounds: [bound(10n)] })).toBe("plan to 10");
  });

  test("but not longer than maxTriggerDelayMs", () => {
    expect(next({ ...few, nowMs: 10_950 })).toBe("wait 50");
    expect(next({ ...few, nowMs: 11_000 })).toBe("plan to 4");
  });

  test("the last batch before a fixed end does not wait for offsets that will not come", () => {
    expect(next({ ...few, ends: [at(4n)], isBounded: true })).toBe("plan to 4");
  });
});

test("where a new job starts is recorded even when there is nothing to read, unless it is the earliest", () => {
  const fresh = { positions: [], starts: [at(7n)], bounds: [{ ...bound(7n), earliest: 7n }], batchId: 0 };
  expect(next({ ...fresh, mustRecordStarts: true })).toBe("plan to 7");
  expect(next(fresh)).toBe("wait 100");
});
