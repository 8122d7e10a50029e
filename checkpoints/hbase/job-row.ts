// A job is one row of the store's table, for a row is what HBase changes in one step:
//   log:head       the last writer's token and the newest entry's number, in the same mutation as that entry
//   log:writer     that token alone, which stays the same for as long as its term does
//   log:e<number>  an entry, 20 digits, so that bytes sort as numbers
//   log:bounds     the oldest entry that counts, and the oldest that may not have been removed yet
//   log:shown      the positions of the newest completion, as they are (to be) shown in the customary table
//   log:heartbeat  a heartbeat as JSON
// Timestamps are given: of any two cells that one job writes into one place, the later has the higher one, whatever the
// clocks of the writer's and the server's machines say.
import type { HBaseCell } from "../../connectors/hbase/client.ts";
import { CheckpointCorruptError, type Entry, type Position } from "../../runtime/index.ts";

/** The one family of the store's table. */
export const FAMILY = "log";
/** Sorts after all entries, and entries after nothing that is not one. */
export const BEYOND_ENTRIES = "f";
const ENTRY = /^e(\d{20})$/;

/** Who may append, and where. */
export interface Head {
  readonly writer: string;
  readonly seq: bigint;
}

/** Entries below `first` do not count; those below `tidied` have been removed. */
export interface Bounds {
  readonly first: bigint;
  readonly tidied: bigint;
}

/** Positions, and the time under which they are shown. */
export interface Shown {
  readonly atMs: number;
  readonly positions: readonly Position[];
}

/** The bytes of the head's cell, which are compared as they are. */
export function encodeHead({ writer, seq }: Head): Uint8Array {
  return Buffer.from(`${writer} ${seq}`);
}

/** Reads the head's cell. @throws CheckpointCorruptError */
export function decodeHead(value: Uint8Array, jobName: string): Head {
  const [, writer, seq] = /^([0-9a-f]{32}) (\d{1,20})$/.exec(textOf(value)) ?? [];
  if (writer === undefined || seq === undefined) throw damaged(jobName, "head");
  return { writer, seq: BigInt(seq) };
}

/** The bytes of the bounds' cell. */
export function encodeBounds({ first, tidied }: Bounds): Uint8Array {
  return Buffer.from(`${first} ${tidied}`);
}

/** Reads the bounds' cell. @throws CheckpointCorruptError */
export function decodeBounds(value: Uint8Array, jobName: string): Bounds {
  const [, first, tidied] = /^(\d{1,20}) (\d{1,20})$/.exec(textOf(value)) ?? [];
  if (first === undefined || tidied === undefined) throw damaged(jobName, "bounds");
  return { first: BigInt(first), tidied: BigInt(tidied) };
}

/** The qualifier of an entry's cell. */
export function entryName(seq: bigint): string {
  return `e${seq.toString().padStart(20, "0")}`;
}

/** The number of the entry in a cell; undefined: it is none. */
export function seqOf(qualifier: string): bigint | undefined {
  const [, digits] = ENTRY.exec(qualifier) ?? [];
  return digits === undefined ? undefined : BigInt(digits);
}

/** The token's length in one byte, the token, the bytes. */
export function encodeEntryCell({ token, bytes }: Entry): Uint8Array {
  const name = Buffer.from(token);
  return Buffer.concat([Buffer.of(name.length), name, bytes]);
}

/** Reads an entry's cell; the bytes are a copy. @throws CheckpointCorruptError */
export function decodeEntryCell(value: Uint8Array, jobName: string): Entry {
  const [length] = value;
  if (length === undefined || value.length < 1 + length) throw damaged(jobName, "entry");
  return { token: textOf(value.subarray(1, 1 + length)), bytes: Uint8Array.from(value.subarray(1 + length)) };
}

/** The bytes of the cell of what is shown: JSON, without the positions' marks. */
export function encodeShown({ atMs, positions }: Shown): Uint8Array {
  const listed = positions.map(({ topic, partition, offset }) => [topic, partition, `${offset}`]);
  return Buffer.from(JSON.stringify({ atMs, positions: listed }));
}

/** Reads what is shown. @throws CheckpointCorruptError */
export function decodeShown(value: Uint8Array, jobName: string): Shown {
  try {
    const { atMs, positions } = JSON.parse(textOf(value)) as { atMs: unknown; positions: unknown[][] };
    if (typeof atMs !== "number" || !Number.isSafeInteger(atMs)) throw new TypeError("atMs is no time");
    return {
      atMs,
      positions: positions.map(([topic, partition, offset]) => ({
        topic: String(topic),
        partition: Number(partition),
        offset: BigInt(String(offset)),
      })),
    };
  } catch (cause) {
    throw damaged(jobName, "shown", cause);
  }
}

/** Cells by their qualifiers. */
export function byQualifier(cells: readonly HBaseCell[]): ReadonlyMap<string, HBaseCell> {
  return new Map(cells.map((cell) => [cell.qualifier, cell]));
}

function damaged(jobName: string, what: string, cause?: unknown): CheckpointCorruptError {
  return new CheckpointCorruptError(`the ${what} of "${jobName}" in HBase is not what this store writes`, {
    hint: "runtime doctor job.ts shows what is still whole",
    ...(cause !== undefined && { cause }),
  });
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
