// One run, one fault: with every kind of fault at every single request in turn. Then the job is started again until
// it is done; a process that stands still goes on only when the next one has finished.
import { type FaultKind, type Faults, faultAt, noFaults } from "./faults.ts";
import { type JobSettings, startRun } from "./simulated-job.ts";
import type { TableKind } from "./simulated-sink.ts";
import { judgeEnd, judgeOutput } from "./verdict.ts";
import { type Runtime, SimulatedWorld } from "./world.ts";

const HOUR_MS = 3_600_000;

export interface SingleFault {
  readonly runtime: Runtime;
  readonly tableKind: TableKind;
  readonly settings: JobSettings;
  readonly faults: Faults;
  /** The run goes on with a batch that an earlier one has left in hand when it crashed. */
  readonly resumes?: boolean;
  readonly keepsTrace?: boolean;
  /** Breaks the world on purpose. */
  readonly prepare?: (world: SimulatedWorld) => void;
}

/** Runs one schedule with the given faults in its first run, and judges it. */
export async function runWithFault(input: SingleFault): Promise<SimulatedWorld> {
  const { runtime, tableKind, settings, faults, resumes = false, keepsTrace = false, prepare = () => {} } = input;
  const world = new SimulatedWorld({ seed: 1, runtime, tableKind, keepsTrace });
  fill(world);
  prepare(world);
  if (resumes) {
    world.faults = faultAt("sink.write", "crash-before");
    const earlier = startRun(world, "earlier", world.logs[0], settings);
    await world.time.runUntil(() => earlier.hasCrashed, HOUR_MS);
  }
  world.faults = faults;
  world.thawsByItself = false;
  const [log] = world.logs;
  const first = startRun(world, "first", log, settings);
  const isStuck = () => first.isFrozen || !first.isAlive;
  if (!(await world.time.runUntil(isStuck, HOUR_MS))) world.violate("the first run hangs");
  world.faults = noFaults;
  const second = startRun(world, "second", log, settings, { trigger: "available-now", takeOver: false });
  if (!(await world.time.runUntil(() => second.outcome !== undefined, HOUR_MS))) world.violate("the second run hangs");
  first.thaw();
  if (!(await world.time.runUntil(() => !first.isAlive, HOUR_MS))) world.violate("the first run never ends");
  // Whatever is still on its way arrives.
  await world.time.runUntil(() => false, HOUR_MS);
  const third = startRun(world, "third", log, settings);
  if (!(await world.time.runUntil(() => third.outcome !== undefined, HOUR_MS))) world.violate("the third run hangs");
  judgeEnd(world, first, [log], { inTrouble: true, wasAborted: false, mayRefuse: false });
  for (const process of [second, third]) {
    // The first run, going on, may rightly take over from nobody but those who began before it did.
    const mayBeFenced = process === second && first.wasFrozen;
    const isFenced =
      process.outcome && "error" in process.outcome && process.outcome.error instanceof runtime.FencedError;
    if (isFenced && !mayBeFenced) world.violate(`${process.name} was fenced by nobody`);
    judgeEnd(world, process, [log], { inTrouble: false, wasAborted: false, mayRefuse: false });
  }
  judgeOutput(world);
  return world;
}

/** Two partitions with every kind of record. */
function fill({ topic }: SimulatedWorld): void {
  topic.addPartition();
  topic.addPartition();
  for (let record = 0; record < 4; record++) {
    topic.append(0, record === 2 ? "throws" : "good");
    topic.append(1, record === 1 ? "tombstone" : record === 3 ? "undecodable" : "good", record === 2 ? 2n : 0n);
  }
}

/** How many requests the first run makes when nothing goes wrong. */
export async function countRequests(input: Omit<SingleFault, "faults">): Promise<number> {
  let count = 0;
  const counting: Faults = (_, processName) => {
    if (processName === "first") count++;
    return "none" satisfies FaultKind;
  };
  await runWithFault({ ...input, faults: counting });
  return count;
}
