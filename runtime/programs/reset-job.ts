// `resetJob`: moves a job's position by hand. A dry run unless told to execute; refused while the job runs; it takes
// the epoch, finishes the batch in hand (or abandons it, when told to) and is itself an entry in the log.
import type { Job } from "../contract/job.ts";
import {
  earlier,
  later,
  type PartitionBounds,
  type Position,
  partitionKey,
  type TopicPartition,
} from "../contract/positions.ts";
import type { ExplicitOffsets, SourceReader } from "../contract/source.ts";
import { freshHeartbeat } from "../engine/heartbeat.ts";
import { newRunMemory } from "../engine/look.ts";
import { finishInHand } from "../engine/scheduler.ts";
import { openTerm } from "../engine/term.ts";
import { CheckpointMissingError, ConfigError } from "../errors.ts";
import { readState } from "../journal/journal.ts";
import { newRunIdentity } from "../journal/may-take-over.ts";
import type { JobState } from "../journal/recover.ts";
import { mergePositions, positionsAfter } from "../plan/plan.ts";
import { explicitPositions, resolveOffsets } from "../plan/resolve-offsets.ts";
import { positionsAround, readHistory } from "./history.ts";
import { type ProgramContext, type ProgramOptions, withProgram } from "./program.ts";

export type ResetTarget =
  | "earliest"
  | "latest"
  /** The first record at or after a time, ms since the Unix epoch. */
  | { readonly timestampMs: number }
  /** Where the job stood before this batch ran. */
  | { readonly beforeBatch: number }
  /** These partitions only; the others stay. */
  | { readonly offsets: ExplicitOffsets }
  /** So many offsets forward, or back when negative; held to what the log has. */
  | { readonly shiftBy: bigint };

export interface ResetOptions extends ProgramOptions {
  readonly to: ResetTarget;
  /** false: nothing is changed, only told. */
  readonly execute: boolean;
  /** Gives the batch in hand up instead of finishing it first: its rows may be visible already, and stay. */
  readonly abandonInHand?: boolean;
}

export interface PositionChange extends TopicPartition {
  readonly from: bigint | undefined;
  readonly to: bigint;
}

export interface ResetResult {
  readonly executed: boolean;
  /** Every partition, also those that stay where they are. */
  readonly changes: readonly PositionChange[];
  /** The batch that is in hand, which was (or will be) finished or abandoned first. */
  readonly inHand: { readonly batchId: number; readonly becomes: "finished" | "abandoned" } | undefined;
}

/**
 * @throws ConfigError the job runs, or the target is not there
 * @throws CheckpointMissingError the job never ran here
 */
export function resetJob(job: Job, options: ResetOptions): Promise<ResetResult> {
  return withProgram(job, options, async (context) => {
    const { store, job: definition, signal, clock } = context;
    const state = await readState(store, definition.name, signal);
    if (state === undefined) {
      throw new CheckpointMissingError(`"${definition.name}" never ran with the checkpoint ${store.url}`, {
        hint: "to start somewhere else than at the earliest, set startingOffsets on the source",
      });
    }
    const running = await freshHeartbeat(store, definition.name, clock, signal);
    if (running !== undefined) {
      throw new ConfigError(`"${definition.name}" is running (${running.host} pid ${running.pid})`, {
        hint: "stop it first (Ctrl-C, or SIGTERM), then reset",
      });
    }
    return options.execute ? execute(context, options) : dryRun(context, state, options);
  });
}

async function dryRun(context: ProgramContext, state: JobState, options: ResetOptions): Promise<ResetResult> {
  const { job, openContext, signal } = context;
  await using reader = await job.source.open(openContext, signal);
  const before = positionsThen(state, options);
  const positions = await resolveTarget(context, options.to, reader, before);
  return { executed: false, changes: changesOf(before, positions), inHand: inHandOf(state, options) };
}

async function execute(context: ProgramContext, options: ResetOptions): Promise<ResetResult> {
  const { job, store, baseDir, clock, signal, openContext } = context;
  const onEvent = (event: { type: string; message?: string }) => {
    if (event.type === "warning" && event.message !== undefined) openContext.warn(event.message);
  };
  const input = {
    job,
    store,
    baseDir,
    clock,
    onEvent,
    abortSignal: signal,
    purpose: "reset",
    run: newRunIdentity(),
  } as const;
  await using term = await openTerm(input);
  const { journal } = term;
  const inHand = inHandOf(journal.state, options);
  if (inHand?.becomes === "finished") await finishInHand(term, newRunMemory(clock.elapsed()));
  const before = journal.state.positions ?? [];
  const positions = await resolveTarget(context, options.to, term.reader, before);
  const abandoned = inHand?.becomes === "abandoned" ? { abandonedBatchId: inHand.batchId } : {};
  const reason = `reset ${describeTarget(options.to)}`;
  const nextBatchId = inHand?.becomes === "abandoned" ? inHand.batchId + 1 : journal.state.nextBatchId;
  await journal.append({ kind: "reset", positions, nextBatchId, reason, ...abandoned }, signal, {
    customary: positions,
  });
  term.showing.show(positions);
  return { executed: true, changes: changesOf(before, positions), inHand };
}

/** The new position of every partition, marked. */
async function resolveTarget(
  { store, job, signal }: ProgramContext,
  to: ResetTarget,
  reader: SourceReader,
  before: readonly Position[],
): Promise<Position[]> {
  const bounds = await reader.partitions(signal);
  const target = await targetPositions(to, bounds, before, {
    atTime: (ms) => reader.offsetsAtTime(ms, signal),
    beforeBatch: async (batchId) => {
      const { batches } = await readHistory(store, job.name, signal);
      const batch = batches.find((candidate) => candidate.firstBatchId <= batchId && batchId <= candidate.batchId);
      if (batch?.firstBatchId === batchId) return positionsAround(batch).before;
      if (batch !== undefined) {
        throw new ConfigError(
          `batch ${batchId} was committed together with ${batch.firstBatchId} to ${batch.batchId}`,
          {
            hint: `give batch ${batch.firstBatchId}, or ${batch.batchId + 1}`,
          },
        );
      }
      const kept = batches.length === 0 ? "none is" : `${batches[0]?.firstBatchId} to ${batches.at(-1)?.batchId} are`;
      throw new ConfigError(`batch ${batchId} is not in the history`, {
        hint: `batches that can be told: ${kept} kept`,
      });
    },
  });
  checkWithin(target, bounds);
  const there = new Set(bounds.map(partitionKey));
  const kept = mergePositions(before, target).filter((position) => there.has(partitionKey(position)));
  return [...(await reader.mark(kept.map(unmarked), signal))];
}

async function targetPositions(
  to: ResetTarget,
  bounds: readonly PartitionBounds[],
  before: readonly Position[],
  find: {
    atTime: (ms: number) => Promise<readonly Position[]>;
    beforeBatch: (id: number) => Promise<readonly Position[]>;
  },
): Promise<readonly Position[]> {
  if (to === "earliest" || to === "latest") return resolveOffsets(to, "start", bounds, find.atTime);
  if ("timestampMs" in to) return resolveOffsets({ timestampMs: to.timestampMs }, "start", bounds, find.atTime);
  if ("beforeBatch" in to) return find.beforeBatch(to.beforeBatch);
  if ("offsets" in to) return explicitPositions(to.offsets);
  const at = new Map(before.map((position) => [partitionKey(position), position.offset]));
  return bounds.flatMap(({ topic, partition, earliest, latest }) => {
    const from = at.get(partitionKey({ topic, partition }));
    if (from === undefined) return [];
    return [{ topic, partition, offset: later(earliest, earlier(from + to.shiftBy, latest)) }];
  });
}

function checkWithin(target: readonly Position[], bounds: readonly PartitionBounds[]): void {
  const now = new Map(bounds.map((bound) => [partitionKey(bound), bound]));
  for (const position of target) {
    const bound = now.get(partitionKey(position));
    if (bound && position.offset >= bound.earliest && position.offset <= bound.latest) continue;
    const has = bound ? `has offsets ${bound.earliest} to ${bound.latest}` : "is not there any more";
    throw new ConfigError(`${position.topic}:${position.partition} cannot be set to ${position.offset}: it ${has}`, {
      hint: bound ? `give a number from ${bound.earliest} to ${bound.latest}` : "choose another target",
    });
  }
}

function positionsThen(state: JobState, options: ResetOptions): readonly Position[] {
  const now = state.positions ?? [];
  return state.inHand && options.abandonInHand !== true ? positionsAfter(now, state.inHand.plan) : now;
}

function inHandOf(state: JobState, options: ResetOptions): ResetResult["inHand"] {
  if (state.inHand === undefined) return undefined;
  return { batchId: state.inHand.plan.batchId, becomes: options.abandonInHand === true ? "abandoned" : "finished" };
}

function changesOf(before: readonly Position[], after: readonly Position[]): PositionChange[] {
  const was = new Map(before.map((position) => [partitionKey(position), position.offset]));
  return after.map(({ topic, partition, offset }) => ({
    topic,
    partition,
    from: was.get(partitionKey({ topic, partition })),
    to: offset,
  }));
}

function describeTarget(to: ResetTarget): string {
  if (typeof to === "string") return `to ${to}`;
  if ("timestampMs" in to) return `to time ${to.timestampMs}`;
  if ("beforeBatch" in to) return `to before batch ${to.beforeBatch}`;
  return "offsets" in to ? "to given offsets" : `by ${to.shiftBy}`;
}

function unmarked({ topic, partition, offset }: Position): Position {
  return { topic, partition, offset };
}
