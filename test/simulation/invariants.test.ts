// The twelve points of the protocol (ARCHITECTURE.md), each with a scenario of its own in the simulated world. Beside
// what a test says, the ledger watches all of them all the time; `violations` are its findings.
import { describe, expect, test } from "vitest";
import {
  CheckpointCorruptError,
  CheckpointMissingError,
  ConfigError,
  DataLossError,
  FencedError,
  type OffsetRange,
} from "../../runtime/index.ts";
import { type Faults, faultAt } from "./faults.ts";
import { errorOf, Scene } from "./scene.ts";

const rangesOf = (ranges: readonly OffsetRange[] = []) =>
  ranges.map(({ partition, fromOffset, untilOffset }) => `${partition}:${fromOffset}-${untilOffset}`).join(" ");

/** Counts requests by name, and lets them pass. */
function counting(counts: Map<string, number>): Faults {
  return (name) => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return "none";
  };
}

test('Invariant 1: Plan first: "latest" is a number in a durable plan before anything is read', async () => {
  const scene = new Scene({ settings: { startingOffsets: "latest" }, records: [3] });
  await scene.run("first", faultAt("store.append", "crash-after"), { trigger: "continuous" });
  scene.grow(0, 2);
  await scene.run("second");
  expect(scene.rows).toEqual(["0:3", "0:4"]);
  expect(scene.verdict()).toEqual([]);
});

describe("Invariant 1: Plan first: what is read ahead goes nowhere before its plan is durable, and this run's", () => {
  const kinds = ["slow-landing", "refused", "lost-landed", "lost-late", "lost-never", "crash-after"] as const;
  for (const kind of [...kinds, "freeze-before", "freeze-after"] as const) {
    test(`with an append that goes wrong: ${kind}`, async () => {
      const scene = new Scene({ settings: { maxOffsetsPerBatch: 6 }, records: [12, 12] });
      let [appends, begins, readsAhead] = [0, 0, 0];
      const faults: Faults = (name) => {
        if (name === "sink.begin") begins++;
        if (name === "source.read" && appends === begins) readsAhead++;
        return name === "store.append" && ++appends === 2 ? kind : "none";
      };
      // An append for the first plan, then one for each batch that has begun.
      const first = await scene.run("first", (name, process) => (process === "first" ? faults(name, process) : "none"));
      expect(readsAhead).toBeGreaterThan(0);
      if (!first.isFrozen && !first.hasCrashed) return expect(scene.verdict()).toEqual([]);
      await scene.run("second");
      if (first.isFrozen) expect(errorOf(await scene.thawed(first))).toBeInstanceOf(FencedError);
      expect(scene.rows).toHaveLength(24);
      expect(scene.verdict()).toEqual([]);
    });
  }
});

test("Invariant 2: A plan is for ever: after a crash the batch runs again over the same ranges", async () => {
  const scene = new Scene({ settings: { maxOffsetsPerBatch: undefined }, records: [3] });
  await scene.run("first", faultAt("sink.commit", "crash-before"));
  scene.grow(0, 4);
  await scene.run("second");
  expect(scene.world.table.commits.map(({ rows }) => rows)).toEqual([
    ["0:0", "0:1", "0:2"],
    ["0:3", "0:4", "0:5", "0:6"],
  ]);
  expect(scene.verdict()).toEqual([]);
});

test("Invariant 3: Contiguous: each range begins where the last one ended", async () => {
  const scene = new Scene({ settings: { maxOffsetsPerBatch: 3 }, records: [4, 2] });
  scene.world.topic.append(0, "good", 5n);
  await scene.run("first", faultAt("store.append", "crash-before", 2));
  scene.world.topic.addPartition();
  scene.grow(2, 3);
  await scene.run("second");
  const ranges = [...(scene.world.ledger.newest?.plans.values() ?? [])].flatMap((plan) => plan.ranges);
  for (const [partition, end] of [10n, 2n, 3n].entries()) {
    const mine = ranges.filter((range) => range.partition === partition);
    expect(mine[0]?.fromOffset).toBe(0n);
    expect(mine.slice(1).map(({ fromOffset }) => fromOffset)).toEqual(mine.slice(0, -1).map((r) => r.untilOffset));
    expect(mine.at(-1)?.untilOffset).toBe(end);
  }
  expect(scene.verdict()).toEqual([]);
});

test("Invariant 4: Complete last: a batch whose rows are not durable is not complete", async () => {
  const scene = new Scene({ records: [3] });
  await scene.run("first", faultAt("sink.commit", "crash-before"));
  expect(scene.kinds()).toBe("begin plan");
  await scene.run("second", faultAt("sink.commit", "crash-after"));
  expect(scene.rows).toHaveLength(3);
  expect(scene.kinds()).toBe("begin plan begin");
  await scene.run("third");
  expect(scene.kinds()).toBe("begin plan begin begin complete");
  expect(scene.verdict()).toEqual([]);
});

describe("Invariant 5: One writer, fenced by the log", () => {
  test("a run that was frozen before its commit writes nothing after the newer one", async () => {
    const scene = new Scene();
    const first = await scene.run("first", faultAt("sink.commit", "freeze-before"));
    await scene.run("second");
    const visible = scene.rows.length;
    expect(errorOf(await scene.thawed(first))).toBeInstanceOf(FencedError);
    expect(scene.rows).toHaveLength(visible);
    expect(scene.verdict()).toEqual([]);
  });

  test("a run that was frozen until the newer term's beginning has been pruned is fenced all the same", async () => {
    const scene = new Scene({ settings: { maxOffsetsPerBatch: 1, retainBatches: 1 }, records: [1] });
    const first = await scene.run("first", faultAt("store.append", "freeze-before", 1));
    scene.grow(0, 140);
    await scene.run("second");
    expect(scene.kinds()).not.toContain("begin");
    expect(errorOf(await scene.thawed(first))).toBeInstanceOf(FencedError);
    expect(scene.verdict()).toEqual([]);
  });

  test("a run whose sink refuses it is not fenced by that, but begins a new term", async () => {
    const scene = new Scene({ tableKind: "last-opener", records: [3] });
    const first = await scene.run("first", faultAt("sink.begin", "freeze-before"));
    scene.world.table.lastOpener = {};
    expect(errorOf(await scene.thawed(first))).toBeUndefined();
    expect(scene.world.ledger.begins).toBe(2);
    expect(scene.verdict()).toEqual([]);
  });

  test("a second start waits while the first run's heartbeat is fresh", async () => {
    const scene = new Scene();
    const first = scene.start("first", () => "none", { trigger: "continuous" });
    await scene.world.time.runUntil(() => scene.rows.length === 6, 60_000);
    const second = scene.start("second", () => "none", { takeOver: false });
    expect(await scene.world.time.runUntil(() => !second.isAlive, 60_000)).toBe(false);
    first.stop();
    await scene.settled(second);
    expect([errorOf(first), errorOf(second)]).toEqual([undefined, undefined]);
    expect(scene.verdict()).toEqual([]);
  });
});

describe("Invariant 6: The idempotence key is lineage id + batchId + hash of the plan", () => {
  test("the very same batch is skipped when the sink has it already", async () => {
    const scene = new Scene({ records: [3] });
    await scene.run("first", faultAt("sink.commit", "crash-after"));
    const second = await scene.run("second");
    expect(second.outcome).toMatchObject({ value: { alreadyWritten: 1, batches: 1 } });
    expect(scene.verdict()).toEqual([]);
  });

  test("the same batchId with another plan is corrupt, never a skip", async () => {
    const scene = new Scene({ records: [3] });
    await scene.run("first", faultAt("store.append", "crash-before", 0));
    const backup = new Map(scene.log.entries);
    const { head } = scene.log;
    await scene.run("second");
    // Somebody puts an old copy of the checkpoint back, and the log has grown meanwhile.
    scene.log.wipe();
    for (const [seq, entry] of backup) scene.log.entries.set(seq, entry);
    scene.log.head = head;
    scene.grow(0, 1);
    expect(errorOf(await scene.run("third"))).toBeInstanceOf(CheckpointCorruptError);
    expect(scene.rows).toEqual(["0:0", "0:1", "0:2"]);
  });

  test("another lineage does everything again under its own name", async () => {
    const scene = new Scene({ records: [3] });
    await scene.run("first");
    scene.log.wipe();
    const second = await scene.run("second");
    expect(second.outcome).toMatchObject({ value: { alreadyWritten: 0, rows: 3 } });
    expect(scene.verdict()).toEqual([]);
  });
});

test("Invariant 7: One durable write per batch in steady state; none plans ahead on stop or for once", async () => {
  const scene = new Scene({ settings: { maxOffsetsPerBatch: 2 }, records: [8] });
  const counts = new Map<string, number>();
  await scene.run("first", counting(counts));
  expect(scene.kinds()).toBe("begin plan complete+plan complete+plan complete+plan complete");
  expect(counts.get("store.append")).toBe(5);
  scene.grow(0, 4);
  await scene.run("second", undefined, { trigger: "once" });
  expect(scene.kinds()).toMatch(/ begin plan complete$/);
  expect(scene.verdict()).toEqual([]);
});

describe("Invariant 8: A lost or unreadable position is an error with a hint, never a silent restart", () => {
  test("a checkpoint that has lost its newest completion", async () => {
    const scene = new Scene();
    await scene.run("first");
    await scene.run("second");
    for (const [seq] of [...scene.log.entries].slice(0, -1)) scene.log.entries.delete(seq);
    const error = errorOf(await scene.run("third"));
    expect(error).toBeInstanceOf(CheckpointCorruptError);
    expect(error).toHaveProperty("hint", expect.stringContaining("doctor"));
    expect(scene.rows).toHaveLength(6);
  });

  test("a log that is gone, while the customary place still has the job's positions", async () => {
    const scene = new Scene();
    await scene.run("first");
    scene.log.wipe({ keepsCustomary: true });
    expect(errorOf(await scene.run("second"))).toBeInstanceOf(CheckpointMissingError);
    expect(scene.rows).toHaveLength(6);
  });

  test.each(["while it waits", "in mid-batch"])("a log that is gone from under a running job, %s", async (when) => {
    const scene = new Scene();
    const run = scene.start("first", () => "none", { trigger: "continuous" });
    await scene.world.time.runUntil(() => scene.rows.length === 6, 60_000);
    await scene.world.time.runUntil(() => false, 1_000);
    scene.log.wipe();
    if (when === "in mid-batch") scene.grow(0, 1);
    expect(errorOf(await scene.settled(run))).toBeInstanceOf(CheckpointMissingError);
    expect(scene.log.entries.size).toBe(0);
  });

  test("a log that was begun anew from under a job whose server was away", async () => {
    const scene = new Scene();
    const run = await scene.run("first", faultAt("store.append", "freeze-before", 1));
    scene.log.wipe();
    await scene.run("second");
    const entries = [...scene.log.entries.keys()];
    expect(errorOf(await scene.thawed(run))).toBeInstanceOf(CheckpointMissingError);
    expect([...scene.log.entries.keys()]).toEqual(entries);
  });

  test("a log that is shorter than what was read", async () => {
    const scene = new Scene();
    await scene.run("first");
    scene.world.topic.partition(0).latest = 2n;
    const error = errorOf(await scene.run("second"));
    expect(error).toBeInstanceOf(DataLossError);
    expect(error).toHaveProperty("hint", expect.stringContaining("runtime reset"));
  });

  test("a log that has forgotten what is to be read next, with the lost range", async () => {
    const scene = new Scene({ records: [3] });
    await scene.run("first");
    scene.grow(0, 4);
    scene.world.topic.trim(0, 5n);
    const error = errorOf(await scene.run("second"));
    expect(error).toBeInstanceOf(DataLossError);
    expect(rangesOf(error instanceof DataLossError ? error.lost : [])).toBe("0:3-5");
  });

  test("with failOnDataLoss: false the plan stays, and its completion records what was lost", async () => {
    const scene = new Scene({ settings: { failOnDataLoss: false }, records: [4] });
    await scene.run("first", faultAt("sink.begin", "crash-before"));
    scene.world.topic.trim(0, 2n);
    await scene.run("second");
    const [batch] = scene.world.ledger.newest?.completed ?? [];
    expect([rangesOf(batch?.plan.ranges), rangesOf(batch?.lost)]).toEqual(["0:0-4", "0:0-2"]);
    expect(scene.rows).toEqual(["0:2", "0:3"]);
    expect(scene.verdict()).toEqual([]);
  });
});

test("Invariant 9: History: pruning never forgets an idle partition", async () => {
  const scene = new Scene({ settings: { maxOffsetsPerBatch: 1, retainBatches: 1 }, records: [1, 1] });
  await scene.run("first");
  scene.grow(1, 8);
  await scene.run("second");
  scene.world.topic.addPartition();
  scene.grow(2, 1);
  await scene.run("third");
  expect(scene.log.bounds?.first).toBeGreaterThan(8n);
  const completion = scene.entries().findLast((body) => body.kind === "complete");
  expect(completion?.positions.map(({ partition, offset }) => [partition, offset])).toEqual([
    [0, 1n],
    [1, 9n],
    [2, 1n],
  ]);
  expect(scene.verdict()).toEqual([]);
});

describe("Invariant 10: Unknown outcome: the same bytes and token again at the same place", () => {
  for (const kind of ["lost-landed", "lost-late", "lost-never"] as const) {
    test(`an append whose reply is lost (${kind}) is in the log once, in the same term`, async () => {
      const scene = new Scene({ records: [3] });
      await scene.run("first", faultAt("store.append", kind, 1));
      await scene.later();
      expect(scene.kinds()).toBe("begin plan complete");
      expect(scene.verdict()).toEqual([]);
    });
  }

  test("a beginning whose reply is lost is the run's own, not another's", async () => {
    for (const kind of ["lost-landed", "lost-late", "lost-never"] as const) {
      const scene = new Scene({ records: [3] });
      expect(errorOf(await scene.run("first", faultAt("store.begin", kind)))).toBeUndefined();
      expect(scene.verdict()).toEqual([]);
    }
  });
});

test("Invariant 11: Dead letters are decided before any sink commits, and later attempts obey", async () => {
  const scene = new Scene({ settings: { sendsDeadLetters: true }, records: [2] });
  scene.world.topic.append(0, "throws");
  scene.grow(0, 1);
  await scene.run("first", faultAt("deadLetters.commit", "crash-before"));
  expect(scene.kinds()).toBe("begin plan poison");
  expect(scene.rows).toEqual([]);
  await scene.run("second", faultAt("deadLetters.commit", "crash-after"));
  await scene.run("third");
  expect(scene.entries().filter(({ kind }) => kind === "poison")).toHaveLength(1);
  expect(scene.world.deadLetters.commits).toHaveLength(1);
  expect(scene.rows).toEqual(["0:0", "0:1", "0:3"]);
  expect(scene.verdict()).toEqual([]);
});

describe("Invariant 12: Reset, copy and import are entries, too", () => {
  test("a reset finishes the batch in hand first, and abandons it only when told to", async () => {
    for (const abandonInHand of [false, true]) {
      const scene = new Scene({ records: [3] });
      await scene.run("first", faultAt("sink.commit", "crash-before"));
      await scene.later();
      await scene.reset({ abandonInHand });
      expect(scene.kinds()).toBe(abandonInHand ? "begin plan begin reset" : "begin plan begin complete reset");
      await scene.run("second");
      expect(scene.rows).toHaveLength(abandonInHand ? 3 : 6);
      expect(scene.verdict()).toEqual([]);
    }
  });

  test("a move fences whoever runs in the old place, at once and for good", async () => {
    const scene = new Scene({ settings: { phaseTimeoutMs: 300_000 }, records: [3] });
    const first = await scene.run("first", faultAt("sink.begin", "freeze-before"));
    await scene.later();
    await scene.settled(scene.startCopy());
    await scene.run("second", undefined, {}, scene.world.logs[1]);
    expect(errorOf(await scene.thawed(first))).toBeInstanceOf(FencedError);
    expect(errorOf(await scene.run("third"))).toBeInstanceOf(ConfigError);
    expect(scene.rows).toHaveLength(3);
    expect(scene.verdict()).toEqual([]);
  });

  test("a copy that was broken off is refused until it has been made again", async () => {
    const scene = new Scene();
    await scene.run("first");
    const to = scene.world.logs[1];
    await scene.settled(scene.startCopy("copy", faultAt("store.append", "crash-after", 2)));
    expect(scene.kinds(to)).toMatch(/^begin plan/);
    expect(errorOf(await scene.run("second", undefined, {}, to))).toBeInstanceOf(ConfigError);
    expect(errorOf(await scene.settled(scene.startCopy()))).toBeUndefined();
    scene.grow(0, 2);
    expect(errorOf(await scene.run("third", undefined, {}, to))).toBeUndefined();
    expect(scene.verdict()).toEqual([]);
  });
});
