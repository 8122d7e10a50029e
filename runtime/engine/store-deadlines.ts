// A checkpoint store whose every call ends within a time, whatever its server does: what is frozen becomes an error
// that names the store, and the run tries again. A store's own deadlines tell more, so these come later. A call that
// was given up is left behind; a write among them may still happen, which its error says.
import type { Clock } from "../clock.ts";
import type { Position } from "../contract/positions.ts";
import type { JointTransaction } from "../contract/sink.ts";
import type { CheckpointStore, Entry, Heartbeat, LogWriter, NumberedEntry } from "../contract/store.ts";
import { OutcomeUnknownError, TransientError } from "../errors.ts";
import { Attempt, bounded } from "./deadline.ts";

/** For one call; a take-over and a pruning are several in one. */
const CALL_TIMEOUT_MS = 20_000;
const LONG_CALL_TIMEOUT_MS = 60_000;

export interface StoreDeadlines {
  readonly clock: Clock;
  /** No call lasts longer; undefined: only the usual limits. */
  readonly timeoutMs?: number | undefined;
}

/** Whether a call that is given up may still change the log. */
type Late = "harmless" | "may-happen";

/** The same store with deadlines. Closing is not bounded: the store itself must end. */
export function withDeadlines(store: CheckpointStore, deadlines: StoreDeadlines): CheckpointStore {
  const ask = asker(store.url, deadlines);
  const describe = store.describe?.bind(store);
  return {
    url: store.url,
    maxEntryBytes: store.maxEntryBytes,
    isVolatile: store.isVolatile ?? false,
    bounds: (jobName, signal) =>
      ask("tell where the log ends", "harmless", signal, (own) => store.bounds(jobName, own)),
    read: (jobName, from, signal) => read(store.read.bind(store, jobName, from), ask, signal),
    async takeOver(jobName, begin, signal, lineageId) {
      const writer = await ask("be taken over", "may-happen", signal, async (own) => {
        const taken = await store.takeOver(jobName, begin, own, lineageId);
        if (own.aborted) await taken[Symbol.asyncDispose]();
        return taken;
      });
      return writerWithDeadlines(writer, ask);
    },
    heartbeat: (jobName, signal) =>
      ask("show its heartbeat", "harmless", signal, (own) => store.heartbeat(jobName, own)),
    jobs: (signal) => ask("list its jobs", "harmless", signal, (own) => store.jobs(own)),
    ...(describe && {
      describe: (signal: AbortSignal) => ask("describe itself", "harmless", signal, describe),
    }),
    examine: (signal) => ask("examine itself", "harmless", signal, (own) => store.examine(own)),
    [Symbol.asyncDispose]: () => Promise.resolve(store[Symbol.asyncDispose]()),
  };
}

type Ask = <T>(what: string, late: Late, signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;

function asker(url: string, { clock, timeoutMs = Number.POSITIVE_INFINITY }: StoreDeadlines): Ask {
  return async (what, late, signal, call) => {
    const isLong = what === "be taken over" || what === "prune";
    const withinMs = Math.min(isLong ? LONG_CALL_TIMEOUT_MS : CALL_TIMEOUT_MS, timeoutMs);
    const expired = () => {
      const message = `the checkpoint store ${url} did not ${what} within ${withinMs} ms`;
      return late === "may-happen" ? new OutcomeUnknownError(message) : new TransientError(message);
    };
    return await bounded({ timeoutMs: withinMs, clock, signal, expired }, call);
  };
}

function writerWithDeadlines(writer: LogWriter, ask: Ask): LogWriter {
  return {
    ...(writer.transactions && { transactions: writer.transactions }),
    canJoin: (rows: JointTransaction) => writer.canJoin?.(rows) ?? false,
    shows: (customary: readonly Position[]) => writer.shows?.(customary) ?? false,
    append(seq: bigint, entry: Entry, customary: readonly Position[], signal: AbortSignal, rows?: JointTransaction) {
      // With a sink's rows it takes as long as these: the phase's own deadline holds.
      if (rows !== undefined) return writer.append(seq, entry, customary, signal, rows);
      return ask("append", "may-happen", signal, (own) => writer.append(seq, entry, customary, own));
    },
    prune: (before: bigint, signal: AbortSignal) =>
      ask("prune", "harmless", signal, (own) => writer.prune(before, own)),
    beat: (heartbeat: Heartbeat, signal: AbortSignal) =>
      ask("take a heartbeat", "harmless", signal, (own) => writer.beat(heartbeat, own)),
    [Symbol.asyncDispose]: () => Promise.resolve(writer[Symbol.asyncDispose]()),
  };
}

/** Each entry, or page of them, has the whole time. */
async function* read(
  open: (signal: AbortSignal) => AsyncIterable<NumberedEntry>,
  ask: Ask,
  signal: AbortSignal,
): AsyncGenerator<NumberedEntry> {
  const attempt = new Attempt(signal);
  const entries = open(attempt.signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await ask("give its entries", "harmless", attempt.signal, () => entries.next());
      if (next.done) break;
      yield next.value;
    }
    attempt.succeed();
  } finally {
    attempt.giveUp(new Error("the rest is not read"));
    Promise.resolve(entries.return?.()).catch(() => {});
  }
}
