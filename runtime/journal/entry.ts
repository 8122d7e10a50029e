// The checkpoint's entries and their format: one line `tidemark/1 <crc32 of the JSON, 8 hex digits> <JSON>`. Decoding
// trusts nothing: every field is checked, and an entry of a later format is refused rather than half understood. The
// log of a job is
//   begin (plan poison* complete)* …   with "complete N" and "plan N+1" in one entry when N+1 is due at once
// (invariant 7), commit where batches run without recorded plans (job option `commit`), and reset, moving and arrived
// where a person intervened. See recover.ts for what follows from them.
import { crc32 } from "node:zlib";
import type { OffsetRange, Position } from "../contract/positions.ts";
import { CheckpointCorruptError } from "../errors.ts";
import { type Plan, type PlannedRange, type PoisonRecord, planHash } from "../plan/plan.ts";
import { decodePositions, decodeRanges, Fields, type Json } from "./fields.ts";

/** The newest format that this version reads and the one it writes. */
const ENTRY_FORMAT = 1;

/**
 * What a batch did, for people. Counts are of its last attempt; unknown (absent) when the sink had the batch already.
 */
export interface BatchCounts {
  readonly records?: number;
  readonly rows?: number;
  readonly tombstones?: number;
  readonly poison: number;
  /** The sink had this very batch already: it was written by an attempt whose completion was not recorded. */
  readonly alreadyWritten: boolean;
  /** From the start of its last attempt to its rows being durable. */
  readonly durationMs: number;
}

/** A writer's term begins; its number, the epoch, is the entry's seq. */
export interface BeginEntry {
  readonly kind: "begin";
  /** "copy", "import": a history from elsewhere follows, and is not to be used before its "arrived". */
  readonly purpose: "run" | "reset" | "copy" | "import";
  readonly host: string;
  readonly pid: number;
}

/** Whether a history from elsewhere begins with this entry, in place of what the log may hold before it. */
export function startsHistory(body: EntryBody): boolean {
  return body.kind === "begin" && (body.purpose === "copy" || body.purpose === "import");
}

export interface PlanEntry {
  readonly kind: "plan";
  readonly plan: Plan;
}

/** These records are left out of the batch, in this attempt and all later ones. */
export interface PoisonEntry {
  readonly kind: "poison";
  readonly batchId: number;
  readonly planHash: string;
  readonly records: readonly PoisonRecord[];
}

export interface CompleteEntry {
  readonly kind: "complete";
  readonly batchId: number;
  readonly planHash: string;
  /** Of all partitions, idle ones too. */
  readonly positions: readonly Position[];
  readonly counts: BatchCounts;
  /** What the log no longer held of the plan (`failOnDataLoss: false`). */
  readonly lost: readonly OffsetRange[];
  readonly next?: Plan | undefined;
}

/** Batches that ran without recorded plans, all that came since the last entry: their rows are durable. */
export interface CommitEntry {
  readonly kind: "commit";
  /** From here to `batchId`, both inclusive. */
  readonly firstBatchId: number;
  readonly batchId: number;
  /** What they read together, sorted; empty ranges only where a partition was seen for the first time. */
  readonly ranges: readonly PlannedRange[];
  /** Of all partitions, idle ones too. */
  readonly positions: readonly Position[];
  /** Sums. */
  readonly counts: BatchCounts;
  readonly lost: readonly OffsetRange[];
  /** The first of those that were left out; how many there were is in the counts. */
  readonly poison: readonly PoisonRecord[];
}

/** The position was moved by a person; or fixed at a job's first start, when its plans are not recorded. */
export interface ResetEntry {
  readonly kind: "reset";
  readonly positions: readonly Position[];
  /** So that the entry tells where the job stands without those before it. */
  readonly nextBatchId: number;
  readonly reason: string;
  /** The planned batch that was given up, its number is not used again; its rows may be visible. */
  readonly abandonedBatchId?: number | undefined;
}

/** The job's checkpoint moves elsewhere: nobody goes on here. */
export interface MovingEntry {
  readonly kind: "moving";
  readonly to: string;
}

/** A history that was copied or imported is whole and may be used. */
export interface ArrivedEntry {
  readonly kind: "arrived";
  readonly from: string;
}

export type EntryBody =
  | BeginEntry
  | PlanEntry
  | PoisonEntry
  | CompleteEntry
  | CommitEntry
  | ResetEntry
  | MovingEntry
  | ArrivedEntry;

/** What every entry says beside its body. */
export interface EntryHeader {
  readonly jobName: string;
  readonly lineageId: string;
  /** The term it was written in: so a replaced writer learns of a newer term whose beginning has been pruned. */
  readonly epoch: bigint;
  /** Random; the same for all terms of one run, which knows its own entries by it. */
  readonly runId: string;
  /** When it was made, by the writer's clock. */
  readonly atMs: number;
}

export type JournalEntry = EntryHeader & { readonly body: EntryBody };

/** The entry as bytes, the same for the same input. */
export function encodeEntry({ jobName, lineageId, epoch, runId, atMs, body }: JournalEntry): Uint8Array {
  const header = { job: jobName, lineage: lineageId, epoch: String(epoch), run: runId, atMs };
  const json = JSON.stringify({ ...header, ...bodyToJson(body) });
  return new TextEncoder().encode(`tidemark/${ENTRY_FORMAT} ${checksum(json)} ${json}`);
}

/**
 * Reads an entry back.
 * @throws CheckpointCorruptError damaged, not an entry, or of a later format (code "FUTURE_FORMAT")
 */
export function decodeEntry(bytes: Uint8Array, where: string): JournalEntry {
  const text = new TextDecoder().decode(bytes);
  const head = /^tidemark\/(\d{1,9}) (?:([0-9a-f]{8}) )?/.exec(text);
  if (head === null) throw damaged(where, "it is no checkpoint entry");
  if (Number(head[1]) > ENTRY_FORMAT) {
    throw new CheckpointCorruptError(`${where} has format ${head[1]}; this version reads up to ${ENTRY_FORMAT}`, {
      code: "FUTURE_FORMAT",
      hint: "a newer tidemark wrote it: npm install tidemark@latest",
    });
  }
  const json = text.slice(head[0].length);
  if (checksum(json) !== head[2]) throw damaged(where, "its checksum does not match");
  const fields = Fields.parse(json, where);
  const body = bodyFromFields(fields);
  const jobName = fields.string("job");
  const lineageId = fields.string("lineage");
  const term = { epoch: fields.offset("epoch"), runId: fields.string("run") };
  const entry = { jobName, lineageId, ...term, atMs: fields.number("atMs"), body };
  for (const plan of plansOf(body)) {
    if (plan.hash !== planHash(lineageId, plan.batchId, plan.ranges)) {
      throw damaged(where, `the plan of batch ${plan.batchId} does not match its hash`);
    }
  }
  return entry;
}

/** The plans that an entry makes. */
function plansOf(body: EntryBody): Plan[] {
  if (body.kind === "plan") return [body.plan];
  return body.kind === "complete" && body.next !== undefined ? [body.next] : [];
}

function damaged(where: string, what: string): CheckpointCorruptError {
  return new CheckpointCorruptError(`${where}: ${what}`, { hint: "runtime doctor job.ts shows what is still whole" });
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

function bodyToJson(body: EntryBody): Json {
  switch (body.kind) {
    case "plan":
      return { kind: body.kind, plan: planToJson(body.plan) };
    case "poison": {
      const { kind, batchId, planHash: hash, records } = body;
      return { kind, batchId, planHash: hash, records: records.map(poisonToJson) };
    }
    case "complete": {
      const { kind, batchId, planHash: hash, counts, positions, lost, next } = body;
      const common = { kind, batchId, planHash: hash, counts: { ...counts }, positions: positions.map(positionToJson) };
      return { ...common, lost: lost.map(rangeToJson), ...(next === undefined ? {} : { next: planToJson(next) }) };
    }
    case "commit": {
      const { ranges, positions, lost, poison } = body;
      const lists = { ranges: ranges.map(rangeToJson), positions: positions.map(positionToJson) };
      return { ...body, ...lists, lost: lost.map(rangeToJson), poison: poison.map(poisonToJson) };
    }
    case "reset":
      return { ...body, positions: body.positions.map(positionToJson) };
    default:
      return { ...body };
  }
}

function planToJson({ batchId, hash, ranges }: Plan): Json {
  return { batchId, hash, ranges: ranges.map(rangeToJson) };
}

function rangeToJson({ topic, partition, fromOffset, untilOffset, untilMark }: PlannedRange): unknown[] {
  const numbers = [topic, partition, String(fromOffset), String(untilOffset)];
  return untilMark === undefined ? numbers : [...numbers, untilMark];
}

function poisonToJson({ topic, partition, offset, phase, error }: PoisonRecord): unknown[] {
  return [topic, partition, String(offset), phase, error];
}

function positionToJson({ topic, partition, offset, mark }: Position): unknown[] {
  const numbers = [topic, partition, String(offset)];
  return mark === undefined ? numbers : [...numbers, mark];
}

function bodyFromFields(fields: Fields): EntryBody {
  const kind = fields.string("kind");
  switch (kind) {
    case "begin": {
      const purpose = fields.oneOf("purpose", ["run", "reset", "copy", "import"] as const);
      return { kind, purpose, host: fields.string("host"), pid: fields.number("pid") };
    }
    case "plan":
      return { kind, plan: planFromFields(fields.object("plan")) };
    case "poison":
      return { kind, ...batchKey(fields), records: fields.list("records").map(poisonFromFields) };
    case "complete": {
      const positions = decodePositions(fields, "positions");
      const lost = decodeRanges(fields, "lost");
      const next = fields.has("next") ? { next: planFromFields(fields.object("next")) } : {};
      return { kind, ...batchKey(fields), positions, counts: countsFromFields(fields.object("counts")), lost, ...next };
    }
    case "commit": {
      const batchIds = { firstBatchId: fields.number("firstBatchId"), batchId: fields.number("batchId") };
      const ranges = decodeRanges(fields, "ranges");
      const positions = decodePositions(fields, "positions");
      const counts = countsFromFields(fields.object("counts"));
      const lost = decodeRanges(fields, "lost");
      return {
        kind,
        ...batchIds,
        ranges,
        positions,
        counts,
        lost,
        poison: fields.list("poison").map(poisonFromFields),
      };
    }
    case "reset": {
      const abandoned = fields.has("abandonedBatchId") ? { abandonedBatchId: fields.number("abandonedBatchId") } : {};
      const positions = decodePositions(fields, "positions");
      return {
        kind,
        positions,
        nextBatchId: fields.number("nextBatchId"),
        reason: fields.string("reason"),
        ...abandoned,
      };
    }
    case "moving":
      return { kind, to: fields.string("to") };
    case "arrived":
      return { kind, from: fields.string("from") };
    default:
      throw fields.wrong("kind", "a kind that this version knows");
  }
}

function batchKey(fields: Fields): { batchId: number; planHash: string } {
  return { batchId: fields.number("batchId"), planHash: fields.string("planHash") };
}

function planFromFields(fields: Fields): Plan {
  return {
    batchId: fields.number("batchId"),
    hash: fields.string("hash"),
    ranges: decodeRanges(fields, "ranges"),
  };
}

function countsFromFields(fields: Fields): BatchCounts {
  const optional = (name: string) => (fields.has(name) ? { [name]: fields.number(name) } : {});
  return {
    ...optional("records"),
    ...optional("rows"),
    ...optional("tombstones"),
    poison: fields.number("poison"),
    alreadyWritten: fields.boolean("alreadyWritten"),
    durationMs: fields.number("durationMs"),
  };
}

function poisonFromFields(fields: Fields): PoisonRecord {
  return {
    topic: fields.string("0"),
    partition: fields.number("1"),
    offset: fields.offset("2"),
    phase: fields.oneOf("3", ["decode", "pipeline"] as const),
    error: fields.string("4"),
  };
}
