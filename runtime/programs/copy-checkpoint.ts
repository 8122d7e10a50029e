// `copyCheckpoint`: moves a job from one checkpoint store to another with its history and lineage. In this order:
// "moving" is appended to the old place (which fences whoever runs there, for good), the history is copied and
// compared, and "arrived" is appended last; a copy without it is refused by everything but another copy. Broken off
// anywhere, the same command goes on.
import { createHash } from "node:crypto";
import { type Clock, systemClock } from "../clock.ts";
import type { CheckpointStore } from "../contract/store.ts";
import { jobName as checkedName } from "../define-job.ts";
import { freshHeartbeat } from "../engine/heartbeat.ts";
import { CheckpointCorruptError, CheckpointMissingError, ConfigError } from "../errors.ts";
import { type EntryBody, startsHistory } from "../journal/entry.ts";
import { Journal, readEntries, readState } from "../journal/journal.ts";
import { checkMayArrive, newRunIdentity } from "../journal/may-take-over.ts";
import type { JobState } from "../journal/recover.ts";
import { withStore } from "./program.ts";

export interface CopyOptions {
  readonly jobName: string;
  /** URLs, or stores; relative paths are resolved against `baseDir`. */
  readonly from: string | CheckpointStore;
  readonly to: string | CheckpointStore;
  readonly baseDir?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

export interface CopyResult {
  readonly lineageId: string;
  /** Entries of the history that were copied. */
  readonly entries: number;
  readonly nextBatchId: number;
  readonly to: string;
}

/**
 * Moves a job's checkpoint.
 * @throws CheckpointMissingError there is nothing to move
 * @throws ConfigError the job runs, moved elsewhere before, or the new place already has a checkpoint of this job in
 * use
 */
export async function copyCheckpoint(options: CopyOptions): Promise<CopyResult> {
  const { baseDir = ".", clock = systemClock } = options;
  const signal = options.signal ?? new AbortController().signal;
  const jobName = checkedName(options.jobName);
  return withStore(options.from, { baseDir, clock }, (from) =>
    withStore(options.to, { baseDir, clock }, (to) => move({ jobName, from, to, clock, signal })),
  );
}

interface Move {
  readonly jobName: string;
  readonly from: CheckpointStore;
  readonly to: CheckpointStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function move(input: Move): Promise<CopyResult> {
  const { jobName, from, to, clock, signal } = input;
  const source = await checkSource(input);
  const wanted = { lineageId: source.lineageId, above: source.head };
  checkMayArrive(await readState(to, jobName, signal), wanted, to.url);
  const run = newRunIdentity();
  if (source.movedTo === undefined) {
    await using leaving = await Journal.takeOver({ store: from, jobName, purpose: "reset", clock, signal, run });
    await leaving.append({ kind: "moving", to: to.url }, signal);
  }
  const moved = await readState(from, jobName, signal);
  if (moved?.movedTo !== to.url)
    throw new CheckpointCorruptError(`${from.url} does not show that the job moves to ${to.url}`);
  const copied = { lineageId: moved.lineageId, above: moved.head };
  await using arriving = await Journal.takeOver({ store: to, jobName, purpose: "copy", clock, signal, run, copied });
  // The job may have arrived there and come back before this copy began; from here on, no other copy can.
  const still = await readState(from, jobName, signal);
  if (still?.head !== moved.head) throw new ConfigError(`"${jobName}" has moved on while it was copied`);
  const history = await copyHistory(input, arriving);
  await verify(input, arriving, history);
  await arriving.append({ kind: "arrived", from: from.url }, signal, {
    customary: arriving.state.positions ?? [],
  });
  const { lineageId, nextBatchId } = arriving.state;
  return { lineageId, entries: history.entries, nextBatchId, to: to.url };
}

async function checkSource({ jobName, from, to, clock, signal }: Move): Promise<JobState> {
  if (from.url === to.url) {
    throw new ConfigError("a checkpoint cannot be copied onto itself", { hint: "--to the URL of another place" });
  }
  const state = await readState(from, jobName, signal);
  if (state === undefined) {
    const known = await from.jobs(signal);
    throw new CheckpointMissingError(`${from.url} has no checkpoint of "${jobName}"`, {
      hint: known.length === 0 ? "there are no jobs at all" : `jobs there: ${known.join(", ")}`,
    });
  }
  if (state.movedTo !== undefined && state.movedTo !== to.url) {
    throw new ConfigError(`"${jobName}" has moved to ${state.movedTo} before`, { hint: `--from ${state.movedTo}` });
  }
  if (state.isPartialCopy) throw new ConfigError(`${from.url} itself is a copy that was broken off`);
  const running = await freshHeartbeat(from, jobName, clock, signal);
  if (running === undefined) return state;
  throw new ConfigError(`"${jobName}" is running (${running.host} pid ${running.pid})`, {
    hint: "stop it first (Ctrl-C, or SIGTERM), then copy",
  });
}

interface CopiedHistory {
  readonly entries: number;
  /** Over the kinds and contents of the copied entries in order. */
  readonly digest: string;
}

/** Entries of a term's beginning and of moves stay behind: they tell of the old place. */
function isHistory({ kind }: EntryBody): boolean {
  return kind !== "begin" && kind !== "moving" && kind !== "arrived";
}

async function copyHistory(input: Move, arriving: Journal): Promise<CopiedHistory> {
  const { jobName, from, signal } = input;
  const digest = createHash("sha256");
  let entries = 0;
  for await (const { atMs, body } of readEntries(from, jobName, await historyBegins(input), signal)) {
    if (!isHistory(body)) continue;
    await arriving.append(body, signal, { atMs });
    digest.update(fingerprint(body));
    entries++;
  }
  return { entries, digest: digest.digest("hex") };
}

/** A job that came back to a place has its older history there, too, before the one that was copied back. */
async function historyBegins({ jobName, from, signal }: Move): Promise<bigint> {
  let first = (await from.bounds(jobName, signal))?.first ?? 0n;
  for await (const { seq, body } of readEntries(from, jobName, first, signal)) {
    if (startsHistory(body)) first = seq;
  }
  return first;
}

/** Reads back what was written, from the new place. */
async function verify({ jobName, to, signal }: Move, arriving: Journal, written: CopiedHistory): Promise<void> {
  const digest = createHash("sha256");
  let entries = 0;
  for await (const { body } of readEntries(to, jobName, arriving.epoch + 1n, signal)) {
    digest.update(fingerprint(body));
    entries++;
  }
  if (entries === written.entries && digest.digest("hex") === written.digest) return;
  // Another copy may have begun there meanwhile: then this one is fenced, and nothing is wrong.
  await arriving.verifyHead(signal);
  throw new CheckpointCorruptError(
    `${to.url} does not hold what was copied to it (${entries} of ${written.entries} entries)`,
    {
      hint: "type the same command again; the old place is unharmed",
    },
  );
}

function fingerprint(body: EntryBody): string {
  return JSON.stringify(body, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
