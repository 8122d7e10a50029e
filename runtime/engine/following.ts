// Decides which batch follows another, and lets the source read its records ahead. A batch that took as much as it may
// while more was there is most likely followed by one like it: that is decided already while the first is committed, so
// that its records are read meanwhile. One that would take all there is is decided after the commit, or it would leave
// out what comes until then. Nothing is recorded here.
import type { Position } from "../contract/positions.ts";
import type { Plan } from "../plan/plan.ts";
import { Attempt } from "./deadline.ts";
import { planOf } from "./in-term.ts";
import { inlineTasks } from "./inline-tasks.ts";
import { decideNow, type Looked, type RunMemory } from "./look.ts";
import type { Term } from "./term.ts";

/** The decision, and the plan if it is to make one. */
export interface Following {
  readonly decision: Looked;
  readonly plan: Plan | undefined;
}

/**
 * Decides what follows the batch before `batchId`, which ends at `positions`.
 * @throws whatever the source throws; DataLossError
 */
export async function decideFollowing(
  term: Term,
  memory: RunMemory,
  positions: readonly Position[],
  batchId: number,
): Promise<Following> {
  const following = await decideAndMark(term, memory, positions, batchId);
  if (following.plan !== undefined) readAhead(term, following.plan);
  return following;
}

/** What follows a batch, while that is being decided. Disposing of it gives up what is still under way. */
export interface EarlyDecision extends AsyncDisposable {
  /** undefined: to be decided again after the commit. Never rejects. */
  readonly following: Promise<Following | undefined>;
}

/** The same, early. @throws the abort signal's reason */
export function decideEarly(
  term: Term,
  memory: RunMemory,
  positions: readonly Position[],
  batchId: number,
): EarlyDecision {
  const attempt = new Attempt(term.input.abortSignal);
  const mine = { ...term, input: { ...term.input, abortSignal: attempt.signal } };
  const decide = async () => {
    try {
      const following = await decideAndMark(mine, memory, positions, batchId);
      if (following.plan === undefined || !leavesMore(following.decision)) return undefined;
      readAhead(term, following.plan);
      return following;
    } catch {
      return undefined;
    }
  };
  return {
    following: decide(),
    async [Symbol.asyncDispose]() {
      attempt.giveUp(new Error("the batch before it has ended"));
    },
  };
}

/** Whether there is more than the batch that was decided on takes. */
export function leavesMore(decision: Looked | undefined): boolean {
  return decision?.do === "plan" && decision.lag > 0n;
}

/** Threads of the job's own read for themselves. */
function readAhead({ input, ahead }: Term, { ranges }: Plan): void {
  if (input.tasks === undefined || input.tasks === inlineTasks) ahead.expect(ranges);
}

async function decideAndMark(
  term: Term,
  memory: RunMemory,
  positions: readonly Position[],
  batchId: number,
): Promise<Following> {
  const decision = await decideNow(term, memory, { positions, nextBatchId: batchId });
  return { decision, plan: decision.do === "plan" ? await planOf(term, decision, batchId) : undefined };
}
