// The marker of a batch: one record of a compacted topic, written in the batch's own transaction, that says which batch
// this was. A job's sink has one key, so that compaction leaves its newest marker; another lineage has another key, or
// it would hide what the first one wrote.
import { type Batch, CheckpointCorruptError } from "../../runtime/index.ts";

/** The newest batch that a sink holds. */
export interface BatchMarker {
  readonly lineageId: string;
  readonly batchId: number;
  readonly planHash: string;
  readonly epoch: bigint;
}

/** The key of a sink's markers. */
export function markerKey(transactionalId: string, lineageId: string): string {
  return `${transactionalId}/${lineageId}`;
}

/** The marker's bytes: JSON. */
export function encodeMarker({ lineageId, batchId, planHash, epoch }: BatchMarker): string {
  return JSON.stringify({ lineageId, batchId, planHash, epoch: String(epoch) });
}

/** @throws CheckpointCorruptError these bytes are no marker */
export function decodeMarker(bytes: Uint8Array, where: string): BatchMarker {
  try {
    const { lineageId, batchId, planHash, epoch } = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (typeof lineageId === "string" && Number.isSafeInteger(batchId) && typeof planHash === "string") {
      return { lineageId, batchId, planHash, epoch: BigInt(epoch) };
    }
    throw new Error("a field is missing");
  } catch (cause) {
    throw new CheckpointCorruptError(`the marker ${where} cannot be read`, {
      cause,
      hint: "did something else write to this topic? only Tidemark may",
    });
  }
}

/**
 * Whether a batch is the one that the newest marker names.
 * @throws CheckpointCorruptError the sink holds this batch under another plan, or later ones
 */
export function isWritten(newest: BatchMarker | undefined, { lineageId, batchId, planHash }: Batch): boolean {
  if (newest === undefined || newest.lineageId !== lineageId || newest.batchId < batchId) return false;
  if (newest.batchId === batchId && newest.planHash === planHash) return true;
  const hint = "is the checkpoint an old copy? the topic holds what was written since";
  if (newest.batchId > batchId) {
    throw new CheckpointCorruptError(`Kafka holds batches up to ${newest.batchId} already, not only up to ${batchId}`, {
      hint,
    });
  }
  throw new CheckpointCorruptError(`Kafka holds batch ${batchId} under plan ${newest.planHash}, not ${planHash}`, {
    hint,
  });
}
