// The names of batch files: `<batchId>-<first 8 of the lineage>-<hash of the plan>.<format>`, so that the name of a
// file alone says which batch it is, and sorting by name is sorting by batch. A batch without a recorded plan has eight
// random digits more in its name, so that it takes nobody's place and is never taken for written.
import { randomBytes } from "node:crypto";
import { type Batch, ConfigError } from "../../runtime/index.ts";

const BATCH_FILE = /^(\d{9,15})-([0-9A-Za-z]{8})-([0-9A-Za-z]+)\.(?:ndjson|csv)$/;
const NAMEABLE_LINEAGE = /^[0-9A-Za-z]{8}/;

/** The part of a batch's key that its file's name holds. */
export interface BatchFileKey {
  readonly batchId: number;
  readonly lineage: string;
  readonly planHash: string;
}

/**
 * The part of a lineage id that stands in names.
 * @throws ConfigError it has no eight letters or digits to begin with
 */
export function shortLineage(lineageId: string): string {
  const short = NAMEABLE_LINEAGE.exec(lineageId)?.[0];
  if (short === undefined) throw new ConfigError(`lineage id ${JSON.stringify(lineageId)} cannot stand in a file name`);
  return short;
}

/** The name of a batch's file; for one without a recorded plan another one each time. */
export function batchFileName({ batchId, lineageId, planHash, isUnplanned }: Batch, extension: string): string {
  const attempt = isUnplanned ? `-${randomBytes(4).toString("hex")}` : "";
  return `${String(batchId).padStart(9, "0")}-${shortLineage(lineageId)}-${planHash}${attempt}.${extension}`;
}

/** Reads a file's name; undefined when it is no batch's with a recorded plan. */
export function parseBatchFileName(name: string): BatchFileKey | undefined {
  const [, batchId, lineage, planHash] = BATCH_FILE.exec(name) ?? [];
  if (batchId === undefined || lineage === undefined || planHash === undefined) return undefined;
  return { batchId: Number(batchId), lineage, planHash };
}
