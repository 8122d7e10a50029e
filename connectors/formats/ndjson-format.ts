// NDJSON: one JSON text a line. What JSON leaves out or changes by its own rules (undefined properties, NaN) is left to
// them; a row that is nothing in JSON, or holds a bigint, is an error.
import { asPlainRow, type EncodedRows, messageOf, type RowEncoder } from "../../runtime/index.ts";
import type { FileFormat } from "./file-format.ts";
import { RowText } from "./row-text.ts";

export const ndjsonFormat: FileFormat<unknown> = {
  extension: "ndjson",
  encoder: () => new NdjsonEncoder(),
  layout: () => ({ bytesOf: ({ data }) => [data as Uint8Array] }),
};

class NdjsonEncoder implements RowEncoder<unknown> {
  private readonly text = new RowText();

  add(row: unknown): void {
    this.text.add(`${toJson(row)}\n`);
  }

  take(): EncodedRows | undefined {
    const taken = this.text.take();
    return taken && { rowCount: taken.rowCount, data: taken.bytes };
  }
}

function toJson(row: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(row);
  } catch (cause) {
    const remedy = hasBigInt(row)
      ? "it holds a bigint: use String(value), or Number(value) for small ones"
      : messageOf(cause);
    throw new TypeError(`a row cannot be written as JSON: ${remedy}`, { cause });
  }
  if (json === undefined) throw new TypeError(`a row cannot be written as JSON: it is ${describe(row)}`);
  return json;
}

function describe(row: unknown): string {
  return row === undefined ? "undefined" : `a ${typeof row}`;
}

/** Looks two levels deep: enough for a helpful message. */
function hasBigInt(row: unknown, depth = 2): boolean {
  if (typeof row === "bigint") return true;
  if (typeof row !== "object" || row === null || depth === 0) return false;
  return Object.values(asPlainRow(row)).some((value) => hasBigInt(value, depth - 1));
}
