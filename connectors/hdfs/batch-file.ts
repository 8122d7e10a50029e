// The names of the sink's files. Of one batch: `<batchId>-<first 8 of the lineage>-<hash of the plan>.<format>`, as the
// file sink has them; a batch without a recorded plan has eight random digits more. Of batches that were joined:
// `<first>-<last>-<lineage>-<times joined>.<format>`, both inclusive. Sorting by name is sorting by batch. Names that
// begin with `_` are not data, as everywhere in Hadoop.
import { randomBytes } from "node:crypto";
import { type Batch, ConfigError } from "../../runtime/index.ts";

const BATCH = /^(\d{9,15})-([0-9A-Za-z]{8})-([0-9A-Za-z]+)(-[0-9a-f]{8})?\.(.+)$/;
const JOINED = /^(\d{9,15})-(\d{9,15})-([0-9A-Za-z]{8})-(\d)\.(.+)$/;
const NAMEABLE_LINEAGE = /^[0-9A-Za-z]{8}/;

/** What a file's name says. */
export interface BatchFile {
  readonly name: string;
  /** Batches; both inclusive, and some between may have had no rows. */
  readonly first: number;
  readonly last: number;
  readonly lineage: string;
  /** Of the one batch's plan; undefined: it is not recorded, or these are batches that were joined. */
  readonly planHash: string | undefined;
  /** How often its contents were joined; 0: it is one batch's. */
  readonly level: number;
  readonly extension: string;
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

/** The name of a batch's file; without a recorded plan another one each time. `extension`: without its first dot. */
export function batchFileName({ batchId, lineageId, planHash, isUnplanned }: Batch, extension: string): string {
  const attempt = isUnplanned ? `-${randomBytes(4).toString("hex")}` : "";
  return `${digits(batchId)}-${shortLineage(lineageId)}-${planHash}${attempt}.${extension}`;
}

/** The name of the file that others are joined to; they follow one another. */
export function joinedFileName(files: readonly BatchFile[]): string {
  const [first, last] = [files[0], files.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError("nothing is joined to nothing");
  const level = Math.max(...files.map((file) => file.level)) + 1;
  return `${digits(first.first)}-${digits(last.last)}-${first.lineage}-${level}.${first.extension}`;
}

/** Reads a file's name; undefined when it is none of the sink's. */
export function parseBatchFileName(name: string): BatchFile | undefined {
  const joined = JOINED.exec(name);
  if (joined !== null) {
    const [, first = "", last = "", lineage = "", level = "", extension = ""] = joined;
    const at = { first: Number(first), last: Number(last) };
    return { name, ...at, lineage, planHash: undefined, level: Number(level), extension };
  }
  const [, id, lineage, hash, attempt, extension] = BATCH.exec(name) ?? [];
  if (id === undefined || lineage === undefined || extension === undefined) return undefined;
  const planHash = attempt === undefined ? hash : undefined;
  return { name, first: Number(id), last: Number(id), lineage, planHash, level: 0, extension };
}

function digits(batchId: number): string {
  return String(batchId).padStart(9, "0");
}
