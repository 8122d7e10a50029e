// Turns rows into bytes for HBase, where the pipeline runs: the row's key, and a cell for each property, its value as
// text that hbase shell shows as one would type it. What HBase could not take, or would only refuse after others were
// written, is refused here, so that the record it comes from is known. Pure.
import { asPlainRow, type EncodedRows, messageOf, type RowEncoder } from "../../runtime/index.ts";
import { type EncodedCell, RowBlockBuilder } from "./row-block.ts";

/** What HBase takes as a row's key. */
const MAX_KEY_BYTES = 32_767;
/** HBase's default (hbase.server.keyvalue.maxsize), less what stands around a value. */
const MAX_VALUE_BYTES = 10 * 1024 * 1024 - 128 * 1024;

export interface EncoderOptions {
  /** Gives the row's key. */
  readonly keyOf: (row: unknown) => unknown;
  /** The property that is the key, which is no cell then. */
  readonly keyProperty: string | undefined;
  /** What to write of a row; undefined: all its properties. */
  readonly columns: readonly string[] | undefined;
}

type Row = Readonly<Record<string, unknown>>;

/** Gathers rows; `take` gives a `RowBlock`. */
export class HBaseRowEncoder implements RowEncoder<object> {
  readonly #options: EncoderOptions;
  readonly #block = new RowBlockBuilder();

  constructor(options: EncoderOptions) {
    this.#options = options;
  }

  add(row: object): void {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new TypeError("hbaseSink takes objects, with a property for each cell");
    }
    const { keyOf, keyProperty, columns } = this.#options;
    const key = keyBytes(keyOf(row));
    const cells: EncodedCell[] = [];
    const values = asPlainRow(row) as Row;
    for (const name of columns ?? Object.keys(values)) {
      if (name === keyProperty) continue;
      const value = cellValue(name, values[name]);
      if (value !== undefined) cells.push({ qualifier: name, value });
    }
    if (cells.length === 0)
      throw new TypeError("the row has nothing but its key, and HBase keeps no rows without cells");
    this.#block.add(key, cells);
  }

  take(): EncodedRows | undefined {
    const data = this.#block.take();
    return data && { rowCount: data.rowCount, data };
  }
}

function keyBytes(key: unknown): Uint8Array {
  const bytes = plainBytes(key);
  if (bytes === undefined || typeof key === "boolean") {
    throw new TypeError("the key of the row must be text, a number or bytes");
  }
  if (bytes.length > 0 && bytes.length <= MAX_KEY_BYTES) return bytes;
  throw new TypeError(`the key of the row has ${bytes.length} bytes: HBase takes 1 to ${MAX_KEY_BYTES}`);
}

/** undefined: no cell is written, and what is there stays. */
function cellValue(name: string, value: unknown): Uint8Array | "removed" | undefined {
  if (value === undefined) return undefined;
  if (value === null) return "removed";
  let bytes: Uint8Array;
  try {
    bytes = plainBytes(value) ?? Buffer.from(value instanceof Date ? value.toISOString() : jsonOf(value));
  } catch (error) {
    throw new TypeError(`column ${name}: ${messageOf(error)}`);
  }
  if (bytes.length <= MAX_VALUE_BYTES) return bytes;
  throw new TypeError(`column ${name}: the value has ${bytes.length} bytes: HBase takes ${MAX_VALUE_BYTES}`);
}

/** Text as UTF-8, numbers and booleans as their text, bytes as they are; undefined: it is something else. */
function plainBytes(value: unknown): Uint8Array | undefined {
  if (typeof value === "string") return Buffer.from(value);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return Buffer.from(`${value}`);
  return value instanceof Uint8Array ? value : undefined;
}

function jsonOf(value: unknown): string {
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`a ${typeof value} is no value`);
  return json;
}
