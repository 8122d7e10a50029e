// Whether a job without a log is new. Where its source's own system shows positions of this job, there was a log: then
// the checkpoint is lost, or it is the wrong one, and nothing may begin anew in silence (invariant 8). Only who wrote
// those positions is looked at; the positions themselves are never read back.
import type { SourceReader } from "../contract/source.ts";
import type { CheckpointStore } from "../contract/store.ts";
import { CheckpointMissingError } from "../errors.ts";

/**
 * To be asked before a job's log is begun.
 * @throws CheckpointMissingError the job has no log, though it had one
 * @throws TransientError it cannot be told now
 */
export async function checkNoLogIsLost(
  store: CheckpointStore,
  reader: SourceReader,
  jobName: string,
  signal: AbortSignal,
): Promise<void> {
  if (store.isVolatile === true || reader.shown === undefined) return;
  if ((await store.bounds(jobName, signal)) !== undefined) return;
  const shown = await reader.shown(signal);
  // Another run of a new job may have begun it in between, and shown its positions.
  if (shown === undefined || (await store.bounds(jobName, signal)) !== undefined) return;
  const { where, lineageId, toForget } = shown;
  throw new CheckpointMissingError(
    `${store.url} has no checkpoint of "${jobName}", though it ran before: ${where} shows positions of its lineage ` +
      lineageId,
    { hint: `bring that checkpoint back, or give the right one with --checkpoint. To begin anew: ${toForget}` },
  );
}
