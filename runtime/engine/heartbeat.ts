// Signs of life: advice for people and supervisors, never safety. A running job leaves one every few seconds; a
// starting one waits while another's is fresh, so that two supervisors do not fence each other for ever.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import type { CheckpointStore, Heartbeat } from "../contract/store.ts";
import type { Journal } from "../journal/journal.ts";
import { Attempt } from "./deadline.ts";

const HEARTBEAT_EVERY_MS = 2_000;
/** A heartbeat that has not changed for so many of its intervals is stale. */
const STALE_AFTER_INTERVALS = 5;
const LOOK_EVERY_MS = 500;
/** A store that is away must not hold up a stop, nor the next try. */
const LAST_BEAT_WITHIN_MS = 2_000;

export interface BeatingInput {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The current offsets, as a text, when they may be ahead of the log. */
  readonly current: () => string | undefined;
}

/**
 * Beats until it is disposed of, which leaves a last beat that says "stopped in good order", if that can be told within
 * 2 s. Failures are ignored: it is advice.
 */
export function startBeating({ journal, clock, signal, current }: BeatingInput): AsyncDisposable {
  const stop = new AbortController();
  const telling = new Attempt(signal);
  const sign = { everyMs: HEARTBEAT_EVERY_MS, processStart: processStart(process.pid) };
  const beat = (count: number, stopped: boolean) => {
    const now = stopped ? undefined : current();
    return journal
      .beat({ ...sign, beat: count, stopped, ...(now && { current: now }) }, telling.signal)
      .catch(() => {});
  };
  const beating = (async () => {
    for (let count = 0; ; count++) {
      await beat(count, false);
      try {
        await clock.sleep(HEARTBEAT_EVERY_MS, stop.signal);
      } catch {
        await beat(count + 1, true);
        return;
      }
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      const timer = clock.timer(LAST_BEAT_WITHIN_MS, () => telling.giveUp(new Error("the store is late")));
      await beating;
      timer.cancel();
      telling.succeed();
    },
  };
}

/** The heartbeat of a run that may be alive now; undefined when none is. */
export async function freshHeartbeat(
  store: CheckpointStore,
  jobName: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Heartbeat | undefined> {
  const heartbeat = await store.heartbeat(jobName, signal);
  if (heartbeat === undefined || heartbeat.stopped || isGone(heartbeat)) return undefined;
  const ageMs = clock.now() - heartbeat.atMs;
  return ageMs < heartbeat.everyMs * STALE_AFTER_INTERVALS ? heartbeat : undefined;
}

/**
 * Waits until no other run's heartbeat is fresh. A heartbeat that does not change counts as stale by this process's
 * own clock, whatever the writer's says.
 */
export async function waitForOtherRun(
  store: CheckpointStore,
  jobName: string,
  clock: Clock,
  signal: AbortSignal,
  onWaiting: (heartbeat: Heartbeat) => void,
): Promise<void> {
  let seen: { beat: string; sinceMs: number } | undefined;
  for (;;) {
    const heartbeat = await freshHeartbeat(store, jobName, clock, signal);
    if (heartbeat === undefined) return;
    const beat = `${heartbeat.epoch}/${heartbeat.beat}`;
    if (seen?.beat !== beat) seen = { beat, sinceMs: clock.elapsed() };
    if (clock.elapsed() - seen.sinceMs >= heartbeat.everyMs * STALE_AFTER_INTERVALS) return;
    onWaiting(heartbeat);
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/**
 * Whether the process that left it is known to be dead: it ran on this host, and its pid is free or another
 * process's.
 */
function isGone({ host, pid, processStart: start }: Heartbeat): boolean {
  if (host !== hostname() || start === undefined) return false;
  return processStart(pid) !== start;
}

/**
 * Linux's boot id and start time of a process: together they name it for good. undefined when it does not run, or
 * elsewhere.
 */
function processStart(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command name in parentheses may hold spaces; the start time is the 20th field behind it.
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${boot}/${startTicks}`;
  } catch {
    return undefined;
  }
}
