// Rows, cells and conditions as messages, and back.
import { type CellMessage, encode } from "./messages.ts";
import type { Region } from "./regions.ts";
import type { CellCondition, HBaseCell, RowChange } from "./table.ts";

const PUT = 2;
const DELETE = 3;
const FSYNC_WAL = 4;
/** All versions of a cell, or of a family's cells, up to the timestamp. */
const DELETE_CELL = 1;
const DELETE_FAMILY = 2;
const EQUAL = 2;

/** What says which region a call is for. */
export function regionSpecifier({ name }: Region): object {
  return { type: 1, value: name };
}

/** A row's change as mutations: one with its puts and one with its removals, where there are any. */
export function mutationOf({ row, puts, removals }: RowChange): object[] {
  const mutations: object[] = [];
  if (puts.length > 0) {
    const qualifierOf = ({ qualifier, stampMs, value }: HBaseCell) => ({
      qualifier: Buffer.from(qualifier),
      value,
      timestamp: stampMs,
    });
    mutations.push({ row, mutateType: PUT, durability: FSYNC_WAL, columnValue: byFamily(puts, qualifierOf) });
  }
  if (removals.length > 0) {
    const columnValue = byFamily(removals, ({ qualifier, stampMs }) => ({
      ...(qualifier !== undefined && { qualifier: Buffer.from(qualifier) }),
      timestamp: stampMs,
      deleteType: qualifier === undefined ? DELETE_FAMILY : DELETE_CELL,
    }));
    mutations.push({ row, mutateType: DELETE, durability: FSYNC_WAL, columnValue });
  }
  return mutations;
}

/** The condition as a message; an empty value is HBase's way to ask that there is no cell. */
export function conditionOf(row: Uint8Array, { family, qualifier, expected }: CellCondition): object {
  return {
    row,
    family: Buffer.from(family),
    qualifier: Buffer.from(qualifier),
    compareType: EQUAL,
    comparator: {
      name: "org.apache.hadoop.hbase.filter.BinaryComparator",
      serializedComparator: encode("BinaryComparator", { comparable: { value: expected ?? new Uint8Array() } }),
    },
  };
}

/** A cell that was read. Its value is a view. */
export function cellOf({ family, qualifier, timestamp = 0, value = new Uint8Array() }: CellMessage): HBaseCell {
  return { family: textOf(family), qualifier: textOf(qualifier), stampMs: timestamp, value };
}

function byFamily<T extends { readonly family: string }>(
  items: readonly T[],
  qualifierOf: (item: T) => object,
): object[] {
  const families = new Map<string, object[]>();
  for (const item of items) {
    const values = families.get(item.family);
    if (values === undefined) families.set(item.family, [qualifierOf(item)]);
    else values.push(qualifierOf(item));
  }
  return [...families].map(([family, qualifierValue]) => ({ family: Buffer.from(family), qualifierValue }));
}

function textOf(bytes: Uint8Array = new Uint8Array()): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
