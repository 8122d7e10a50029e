// Decides whether a log, as it was read, may be taken over: not by a run that another run has replaced since, not
// where the job has moved away or has not arrived; a copy or an import only where no checkpoint in use would be
// overwritten. Pure; the take-over itself fails when the log has changed since it was read.
import { randomBytes } from "node:crypto";
import { CheckpointCorruptError, CheckpointMissingError, ConfigError, FencedError, TransientError } from "../errors.ts";
import type { BeginEntry } from "./entry.ts";
import type { JobState } from "./recover.ts";

/** By what a run knows its own terms in the log from another run's: its host and pid say it only to people. */
export interface RunIdentity {
  /** Random; 16 hex digits. */
  readonly id: string;
  /** The log as this run last knew it; undefined while it has begun no term. */
  known: KnownLog | undefined;
  /** The newest epoch that this run has begun, or may have begun: the reply may have been lost. */
  newestEpoch: bigint | undefined;
}

/** What a log can only go on from. */
export interface KnownLog {
  readonly lineageId: string;
  readonly head: bigint;
}

/** The identity of a run that has begun nothing yet. */
export function newRunIdentity(): RunIdentity {
  return { id: randomBytes(8).toString("hex"), known: undefined, newestEpoch: undefined };
}

/**
 * @throws FencedError another run has taken over since this run's last term
 * @throws CheckpointMissingError the log that this run wrote has vanished, or is another or an older one
 * @throws CheckpointCorruptError the log tells no position
 * @throws ConfigError the checkpoint has moved elsewhere, or is a copy that was broken off
 */
export function checkMayTakeOver(seen: JobState | undefined, run: RunIdentity): void {
  if (run.known !== undefined) checkNotReplaced(seen, run.known);
  if (seen === undefined) return;
  const isNewer = run.newestEpoch !== undefined && seen.epoch >= run.newestEpoch;
  if (isNewer && seen.runId !== run.id) throw replacedBy(seen, run);
  if (run.known !== undefined) checkNotOlder(seen, run.known);
  if (seen.movedTo !== undefined) {
    throw new ConfigError(`the checkpoint of "${seen.jobName}" has moved to ${seen.movedTo}`, {
      hint: `set the job's checkpoint to ${seen.movedTo}`,
    });
  }
  if (seen.isPartialCopy) {
    const { what, hint } = brokenOff(seen);
    throw new ConfigError(`the checkpoint of "${seen.jobName}" here is ${what} that was broken off`, { hint });
  }
  if (seen.positions === undefined) {
    throw new CheckpointCorruptError(`the checkpoint of "${seen.jobName}" does not tell where the job stands`, {
      hint: "runtime doctor job.ts shows what is still whole",
    });
  }
}

/**
 * A running job's log is there and the same one.
 * @throws CheckpointMissingError it is gone, or another lineage's
 */
export function checkNotReplaced(seen: JobState | undefined, known: KnownLog): asserts seen is JobState {
  if (seen === undefined) throw vanished("the checkpoint is gone, though the job runs");
  if (seen.lineageId !== known.lineageId) throw vanished("the checkpoint is gone, and another was begun in its place");
}

/** @throws CheckpointMissingError entries are gone that a running job knows to be durable */
export function checkNotOlder(seen: JobState, known: KnownLog): void {
  if (seen.head >= known.head) return;
  throw vanished(`the checkpoint ends at entry ${seen.head}, but the running job knows of ${known.head}`);
}

function vanished(message: string): CheckpointMissingError {
  return new CheckpointMissingError(message, {
    hint: "was the server set up anew, or an old copy put back? Bring the newest back before the job starts again",
  });
}

/** A history that is copied: its lineage, and its newest entry's seq; the copy's entries are numbered above it. */
export interface ArrivingHistory {
  readonly lineageId: string;
  readonly above: bigint;
}

/**
 * Whether a copy may begin here.
 * @param there what the place holds now
 * @throws ConfigError there is a checkpoint in use, or one that is newer than the copied history
 */
export function checkMayArrive(there: JobState | undefined, copied: ArrivingHistory, url: string): void {
  if (there === undefined) return;
  const isSame = there.lineageId === copied.lineageId;
  if (there.isPartialCopy && isSame) return;
  // Numbers grow with every move. A higher one means that the job has been here since, and is on its way elsewhere.
  if (there.movedTo !== undefined && (!isSame || there.head < copied.above)) return;
  if (there.movedTo !== undefined) {
    throw new ConfigError(`${url} has a newer checkpoint of "${there.jobName}", which moves to ${there.movedTo}`, {
      hint: `runtime checkpoint copy --from ${url} --to ${there.movedTo} ${there.jobName}`,
    });
  }
  throw new ConfigError(`${url} already has a checkpoint of "${there.jobName}"`, {
    hint: "choose another place; a checkpoint that is in use is never overwritten",
  });
}

/**
 * Whether positions that another program saved may be imported here.
 * @param there what the place holds now
 * @throws ConfigError there is a checkpoint of this job, other than an import that was broken off
 */
export function checkMayImport(there: JobState | undefined, url: string): void {
  if (there === undefined) return;
  if (there.isPartialCopy && there.writer?.purpose === "import") return;
  throw new ConfigError(`${url} already has a checkpoint of "${there.jobName}"`, {
    hint:
      "an import is for a job that is new there; to move this one's position: " +
      "runtime reset job.ts --to-offset topic:partition=offset",
  });
}

/** What a place is that a history has not arrived at, and what helps. */
export function brokenOff({ writer }: JobState): { readonly what: string; readonly hint: string } {
  const [what, command] = writer?.purpose === "import" ? ["an import", "import"] : ["a copy", "copy"];
  return { what, hint: `type the same runtime checkpoint ${command} again` };
}

/** The error of a term that is told by the log that a newer one has begun: only another run's fences. */
export function replacedBy({ writer, epoch, runId, jobName }: JobState, run: RunIdentity): Error {
  if (runId === run.id) return new TransientError("a beginning of this very run, given up before, has landed");
  const by = writer === undefined ? "" : `, ${whoIs(writer)}`;
  return new FencedError(`another run of "${jobName}" has taken over (epoch ${epoch}${by})`, {
    hint: "only one run of a job may go on; this one stops without writing more",
  });
}

function whoIs({ host, pid }: BeginEntry): string {
  return `${host} pid ${pid}`;
}
