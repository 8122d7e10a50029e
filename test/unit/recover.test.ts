// The recovery table: what each order of entries says about where a job stands, and which orders cannot be.
import { describe, expect, test } from "vitest";
import { CheckpointCorruptError } from "../../runtime/errors.ts";
import type { EntryBody } from "../../runtime/journal/entry.ts";
import { foldEntry, type JobState } from "../../runtime/journal/recover.ts";
import { makePlan, type Plan } from "../../runtime/plan/plan.ts";

const LINEAGE = "00112233445566778899aabbccddeeff";
const header = { jobName: "job", lineageId: LINEAGE, runId: "r", atMs: 1 };
const counts = { records: 1, rows: 1, tombstones: 0, poison: 0, alreadyWritten: false, durationMs: 1 };
const begin = (purpose: "run" | "copy" | "import" = "run"): EntryBody => ({
  kind: "begin",
  purpose,
  host: "h",
  pid: 1,
});
const planOf = (batchId: number, from: number, until: number): Plan =>
  makePlan(LINEAGE, batchId, [{ topic: "t", partition: 0, fromOffset: BigInt(from), untilOffset: BigInt(until) }]);
const planned = (plan: Plan): EntryBody => ({ kind: "plan", plan });
const completed = (plan: Plan, next?: Plan): EntryBody => {
  const positions = plan.ranges.map(({ topic, partition, untilOffset }) => ({ topic, partition, offset: untilOffset }));
  return { kind: "complete", batchId: plan.batchId, planHash: plan.hash, positions, counts, lost: [], next };
};

const committed = (firstBatchId: number, batchId: number, from: number, until: number): EntryBody => {
  const { ranges } = planOf(batchId, from, until);
  const positions = [{ topic: "t", partition: 0, offset: BigInt(until) }];
  return { kind: "commit", firstBatchId, batchId, ranges, positions, counts, lost: [], poison: [] };
};

function recover(
  bodies: readonly EntryBody[],
  { first = 0, jobName = "job", lineageOf = (_: number): string => LINEAGE } = {},
) {
  let state: JobState | undefined;
  let epoch = BigInt(first);
  bodies.forEach((body, index) => {
    if (body.kind === "begin") epoch = BigInt(first + index);
    const lineageId = lineageOf(index);
    const entry = { jobName: "job", lineageId, epoch, runId: "r", atMs: 1_000 + index, body };
    state = foldEntry(state, BigInt(first + index), entry, jobName);
  });
  if (state === undefined) throw new Error("no entries");
  return state;
}

const [p0, p1] = [planOf(0, 0, 5), planOf(1, 5, 9)];

describe("where a job stands", () => {
  test("only begun: a new job, nothing in hand", () => {
    expect(recover([begin()])).toMatchObject({ nextBatchId: 0, positions: [], inHand: undefined, epoch: 0n });
  });

  test("planned only: the batch is in hand over the planned ranges", () => {
    expect(recover([begin(), planned(p0)])).toMatchObject({ inHand: { plan: p0, poison: [] }, nextBatchId: 0 });
  });

  test("committed: several batches that were not planned, at once", () => {
    const state = recover([begin(), committed(0, 3, 0, 9), begin(), committed(4, 4, 9, 11)]);
    expect(state).toMatchObject({ nextBatchId: 5, inHand: undefined, positions: [{ offset: 11n }] });
  });

  test("committed, where the kept history does not reach back", () => {
    expect(recover([committed(7, 9, 30, 40)], { first: 20 })).toMatchObject({
      nextBatchId: 10,
      positions: [{ offset: 40n }],
    });
  });

  test("planned after a commit, and committed after a completion", () => {
    const bodies = [begin(), committed(0, 0, 0, 5), planned(p1), completed(p1), committed(2, 5, 9, 12)];
    expect(recover(bodies)).toMatchObject({ nextBatchId: 6, positions: [{ offset: 12n }] });
  });

  test("completed: positions are the entry's, nothing is in hand", () => {
    const state = recover([begin(), planned(p0), completed(p0)]);
    expect(state).toMatchObject({
      nextBatchId: 1,
      inHand: undefined,
      positions: [{ offset: 5n }],
      lastCompletedAtMs: 1_002,
    });
  });

  test("completed and planned in one entry: the next batch is in hand", () => {
    const state = recover([begin(), planned(p0), completed(p0, p1)]);
    expect(state).toMatchObject({ nextBatchId: 1, inHand: { plan: p1 }, positions: [{ offset: 5n }] });
  });

  test("a new epoch changes nothing but the epoch", () => {
    const state = recover([begin(), planned(p0), completed(p0, p1), begin()]);
    expect(state).toMatchObject({ epoch: 3n, inHand: { plan: p1 } });
  });

  test("poison records stay with the batch in hand", () => {
    const record = { topic: "t", partition: 0, offset: 2n, phase: "decode", error: "bad" } as const;
    const poison: EntryBody = { kind: "poison", batchId: 0, planHash: p0.hash, records: [record] };
    expect(recover([begin(), planned(p0), poison, begin()]).inHand?.poison).toEqual([record]);
  });

  test("a reset moves the positions; an abandoned batch's number is not used again", () => {
    const positions = [{ topic: "t", partition: 0, offset: 2n }];
    const reset: EntryBody = { kind: "reset", positions, nextBatchId: 2, reason: "r", abandonedBatchId: 1 };
    const state = recover([begin(), planned(p0), completed(p0, p1), begin(), reset]);
    expect(state).toMatchObject({ positions, nextBatchId: 2, inHand: undefined });
  });

  test("a history whose beginning was pruned is enough", () => {
    const state = recover([completed(p0, p1), completed(p1)], { first: 40 });
    expect(state).toMatchObject({ head: 41n, nextBatchId: 2, positions: [{ offset: 9n }], writer: undefined });
  });

  test("a history that was pruned as far as a reset knows its positions and the next batch", () => {
    const positions = [{ topic: "t", partition: 0, offset: 5n }];
    const reset: EntryBody = { kind: "reset", positions, nextBatchId: 1, reason: "r" };
    expect(recover([reset, planned(p1)], { first: 40 })).toMatchObject({ inHand: { plan: p1 }, nextBatchId: 1 });
    expect(recover([reset], { first: 40 })).toMatchObject({ positions, nextBatchId: 1 });
  });

  test("entries that tell no position leave it unknown; it is never taken for the beginning", () => {
    expect(recover([begin(), begin()], { first: 40 }).positions).toBeUndefined();
  });

  test("a copy of a job that never completed a batch stands at no position", () => {
    const state = recover([begin("copy"), planned(p0), { kind: "arrived", from: "file:old" }], { first: 9 });
    expect(state).toMatchObject({ positions: [], inHand: { plan: p0 }, nextBatchId: 0 });
  });

  test("a copy is not usable before it has arrived", () => {
    const copy = [begin("copy"), planned(p0), completed(p0)];
    expect(recover(copy, { first: 9 }).isPartialCopy).toBe(true);
    const arrived = recover([...copy, { kind: "arrived", from: "file:old" }], { first: 9 });
    expect(arrived).toMatchObject({ isPartialCopy: false, nextBatchId: 1, positions: [{ offset: 5n }] });
  });

  test("an import is not usable before it has arrived, and may begin at any batch number", () => {
    const positions = [{ topic: "t", partition: 0, offset: 5n }];
    const reset: EntryBody = { kind: "reset", positions, nextBatchId: 7, reason: "r" };
    const inFlight = planOf(7, 5, 9);
    const imported = [begin("import"), reset, planned(inFlight)];
    expect(recover([begin("import")])).toMatchObject({ isPartialCopy: true, positions: undefined });
    expect(recover(imported)).toMatchObject({ isPartialCopy: true, positions });
    const arrived = recover([...imported, { kind: "arrived", from: "spark:old" }]);
    expect(arrived).toMatchObject({ isPartialCopy: false, nextBatchId: 7, positions, inHand: { plan: inFlight } });
  });

  test("an import that begins again starts anew", () => {
    const positions = [{ topic: "t", partition: 0, offset: 5n }];
    const first: EntryBody = { kind: "reset", positions, nextBatchId: 7, reason: "r" };
    const second: EntryBody = { kind: "reset", positions: [], nextBatchId: 0, reason: "r" };
    const state = recover([begin("import"), first, begin("import"), second]);
    expect(state).toMatchObject({ isPartialCopy: true, positions: [], nextBatchId: 0, inHand: undefined });
  });

  test("a copy that begins again, also after a jump, starts the history anew", () => {
    let state = recover([begin("copy"), planned(p0)], { first: 9 });
    const again = { jobName: "job", lineageId: "another", epoch: 30n, runId: "r", atMs: 5, body: begin("copy") };
    state = foldEntry(state, 30n, again, "job");
    expect(state).toMatchObject({
      head: 30n,
      epoch: 30n,
      lineageId: "another",
      inHand: undefined,
      isPartialCopy: true,
    });
  });
});

describe("what cannot be is corrupt, never guessed", () => {
  const cases: [string, () => unknown, RegExp][] = [
    [
      "a hole",
      () => foldEntry(recover([begin()]), 2n, { ...header, epoch: 2n, body: begin() }, "job"),
      /hole: entry 1 is missing/,
    ],
    [
      "an entry of a writer that was fenced",
      () => foldEntry(recover([begin(), begin()]), 2n, { ...header, epoch: 0n, body: planned(p0) }, "job"),
      /written in epoch 0, after epoch 1 had begun/,
    ],
    ["a foreign job", () => recover([begin()], { jobName: "other" }), /belongs to the job "job"/],
    [
      "another lineage",
      () => recover([begin(), begin()], { lineageOf: (index) => `lineage ${index}` }),
      /has the lineage lineage 1/,
    ],
    [
      "another plan under the same batchId",
      () => recover([begin(), planned(p0), planned(planOf(0, 0, 6))]),
      /a second time, with other ranges/,
    ],
    [
      "a completion of another plan",
      () => recover([begin(), planned(p0), completed(planOf(0, 0, 6))]),
      /knows batch 0 with another plan/,
    ],
    ["a completion of a batch that is not in hand", () => recover([begin(), completed(p0)]), /not in hand/],
    [
      "a batchId left out",
      () => recover([begin(), planned(p0), completed(p0), planned(planOf(2, 5, 9))]),
      /batch 1 is next/,
    ],
    [
      "ranges that do not follow each other",
      () => recover([begin(), planned(p0), completed(p0), planned(planOf(1, 6, 9))]),
      /begins at 6, but the batch before ended at 5/,
    ],
    [
      "a reset that forgets the batch in hand",
      () => recover([begin(), planned(p0), { kind: "reset", positions: [], nextBatchId: 0, reason: "r" }]),
      /while batch 0 is in hand/,
    ],
    [
      "a reset that counts batches in another way",
      () =>
        recover([begin(), planned(p0), completed(p0), { kind: "reset", positions: [], nextBatchId: 7, reason: "r" }]),
      /says that batch 7 is next, but batch 1 is/,
    ],
    [
      "anything after the checkpoint has moved",
      () => recover([begin(), { kind: "moving", to: "file:new" }, begin()]),
      /moved to file:new/,
    ],
  ];
  test.each(cases)("%s", (_, fold, message) => {
    expect(fold).toThrow(CheckpointCorruptError);
    expect(fold).toThrow(message);
  });

  test("positions in a completion that its plan does not end at", () => {
    const wrong = { ...completed(p0), positions: [{ topic: "t", partition: 0, offset: 4n }] } as EntryBody;
    expect(() => recover([begin(), planned(p0), wrong])).toThrow(/at other positions than its plan ends at/);
  });

  test.each([
    ["of batches that do not follow", [begin(), committed(0, 1, 0, 5), committed(3, 3, 5, 9)], /batch 2 is next/],
    ["that skips offsets", [begin(), committed(0, 1, 0, 5), committed(2, 2, 6, 9)], /begins at 6/],
    ["beside a batch in hand", [begin(), planned(p0), committed(0, 0, 0, 5)], /while batch 0 is in hand/],
    ["of no batch", [begin(), committed(1, 0, 0, 5)], /which is none/],
    [
      "at other positions than its ranges end at",
      [begin(), { ...committed(0, 0, 0, 5), positions: [{ topic: "t", partition: 0, offset: 4n }] } as EntryBody],
      /at other positions than their ranges end at/,
    ],
  ])("a commit %s", (_, bodies, message) => {
    expect(() => recover(bodies)).toThrow(message);
  });

  test("a completion that forgets an idle partition", () => {
    const plan = makePlan(LINEAGE, 0, [
      { topic: "t", partition: 0, fromOffset: 0n, untilOffset: 5n },
      { topic: "t", partition: 1, fromOffset: 3n, untilOffset: 3n },
    ]);
    const forgetful = { ...completed(plan), positions: [{ topic: "t", partition: 0, offset: 5n }] } as EntryBody;
    expect(() => recover([begin(), planned(plan), forgetful])).toThrow(/at other positions/);
  });
});
