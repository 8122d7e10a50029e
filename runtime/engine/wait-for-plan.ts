// Waits between two batches until the next one is due, or nothing is left to do. While nothing is there it listens to
// the source, if that can tell when something comes; else it looks again and again. A job that waits writes nothing, so
// it looks from time to time whether the log is still its own.
import type { PartitionBounds } from "../contract/positions.ts";
import type { EndReason } from "../events.ts";
import { Attempt } from "./deadline.ts";
import { decideNow, type Looked, type RunMemory, type Standing } from "./look.ts";
import type { Term } from "./term.ts";

/** How often a job that has not written looks at the log's head. */
const VERIFY_EVERY_MS = 2_000;

/** A batch that is due. */
export type Due = Extract<Looked, { do: "plan" }>;
/** There is nothing left to do, or the run was told to stop. */
export type Ended = { readonly do: "end"; readonly reason: EndReason };

export interface Waiting {
  readonly standing: Standing;
  /** What is to be done while nothing runs, before each look. Gives the time until it is to be called again, in ms. */
  readonly whileIdle?: () => Promise<number>;
  /** Whether something is being appended now: then its outcome says whether the log is still this run's. */
  readonly isAppending?: () => boolean;
}

/**
 * The next batch, or the end.
 * @throws FencedError another run has taken over; whatever the source and the store throw
 */
export async function waitForPlan(
  term: Term,
  memory: RunMemory,
  stopSignal: AbortSignal,
  { standing, whileIdle, isAppending = () => false }: Waiting,
): Promise<Due | Ended> {
  const { clock, onEvent } = term.input;
  let isIdle = false;
  let isInVain = false;
  for (;;) {
    if (stopSignal.aborted) return { do: "end", reason: "stopped" };
    const againMs = (await whileIdle?.()) ?? Number.POSITIVE_INFINITY;
    if (!isAppending()) await verifyWhenDue(term, memory);
    const decision = await decideNow(term, memory, standing);
    if (decision.do !== "wait") return decision;
    if (!isIdle) onEvent({ type: "idle", lag: decision.lag });
    isIdle = true;
    const mostMs = Math.min(againMs, VERIFY_EVERY_MS);
    if (decision.until === "data" && term.reader.waitForMore !== undefined && !isInVain) {
      // What it said is seen by the next look; when that finds nothing, the one after it comes in its own time.
      isInVain = await hearsOfMore(term, decision.bounds, mostMs, stopSignal);
      continue;
    }
    isInVain = false;
    await clock.sleep(Math.min(decision.ms, mostMs), stopSignal).catch(() => {});
  }
}

/** Whether the source says, within a time, that there is more than what was seen. Never rejects. */
async function hearsOfMore(
  { reader, input: { clock } }: Term,
  seen: readonly PartitionBounds[],
  mostMs: number,
  stopSignal: AbortSignal,
): Promise<boolean> {
  if (stopSignal.aborted) return false;
  const ends = seen.map(({ topic, partition, latest }) => ({ topic, partition, offset: latest }));
  const listening = new Attempt(stopSignal);
  // Whatever it fails of, the next look finds out.
  const heard = async () => {
    try {
      await reader.waitForMore?.(ends, listening.signal);
    } catch {}
    return true;
  };
  const timeIsUp = async () => {
    await clock.sleep(mostMs, listening.signal).catch(() => {});
    return false;
  };
  try {
    return await Promise.race([heard(), timeIsUp()]);
  } finally {
    listening.giveUp(new Error("the wait is over"));
  }
}

async function verifyWhenDue({ journal, input }: Term, memory: RunMemory): Promise<void> {
  if (input.clock.elapsed() - memory.verifiedMs < VERIFY_EVERY_MS) return;
  await journal.verifyHead(input.abortSignal);
  memory.verifiedMs = input.clock.elapsed();
  memory.hasIdled = true;
}
