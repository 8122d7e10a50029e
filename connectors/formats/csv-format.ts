// CSV as RFC 4180 has it: a header line (or none), CRLF line ends, quotes where they are needed. The columns are given,
// or those of the first row; all rows of a batch must have the same. null and undefined are empty fields, an empty
// string is `""`, dates are ISO 8601, objects are JSON.
import { asPlainRow, ConfigError, type EncodedRows, type RowEncoder } from "../../runtime/index.ts";
import type { FileFormat, FileLayout } from "./file-format.ts";
import { RowText } from "./row-text.ts";

const LINE_END = "\r\n";
const NEEDS_QUOTES = /[",\r\n]/;

/** Encoded rows, and what their fields are called. */
interface CsvRows {
  readonly columns: readonly string[];
  readonly bytes: Uint8Array;
}

/** @param columns in order; undefined: the properties of the first row, in its order */
export function csvFormat(columns: readonly string[] | undefined): FileFormat<object> {
  return { extension: "csv", encoder: () => new CsvEncoder(columns), layout: () => new CsvLayout() };
}

/** The same without a header line, for files that are joined afterwards. */
export function csvFormatWithoutHeader(columns: readonly string[]): FileFormat<object> {
  const layout: FileLayout = { bytesOf: ({ data }) => [(data as CsvRows).bytes] };
  return { extension: "csv", encoder: () => new CsvEncoder(columns), layout: () => layout };
}

class CsvEncoder implements RowEncoder<object> {
  private readonly text = new RowText();
  private readonly optional: boolean;
  private columns: readonly string[] | undefined;
  private known: ReadonlySet<string>;

  constructor(columns: readonly string[] | undefined) {
    this.optional = columns !== undefined;
    this.columns = columns;
    this.known = new Set(columns);
  }

  add(row: object): void {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new TypeError("a CSV row must be an object whose properties are the columns");
    }
    const values = asPlainRow(row) as Readonly<Record<string, unknown>>;
    const columns = this.columns ?? Object.keys(values);
    if (columns.length === 0) throw new TypeError("a CSV row must have at least one property");
    if (this.columns !== undefined) this.check(values, columns);
    let line = columns.map((column) => field(values[column], column)).join(",");
    // A blank line would be no row at all to most readers.
    if (line === "") line = '""';
    this.text.add(line + LINE_END);
    if (this.columns !== undefined) return;
    this.columns = columns;
    this.known = new Set(columns);
  }

  take(): EncodedRows | undefined {
    const taken = this.text.take();
    if (taken === undefined) return undefined;
    const data: CsvRows = { columns: this.columns ?? [], bytes: taken.bytes };
    return { rowCount: taken.rowCount, data };
  }

  /** Columns that were given may be missing from a row; those of the first row may not. */
  private check(row: object, columns: readonly string[]): void {
    let count = 0;
    for (const key of Object.keys(row)) {
      if (!this.known.has(key))
        throw new TypeError(`a row has "${key}", which is not one of the columns ${columns.join(", ")}`);
      count++;
    }
    if (this.optional || count === columns.length) return;
    const missing = columns.find((column) => !Object.hasOwn(row, column));
    throw new TypeError(
      `a row has no "${missing}", which the first row had; give fileSink its columns if that is right`,
    );
  }
}

class CsvLayout implements FileLayout {
  private header: string | undefined;

  bytesOf({ data }: EncodedRows): readonly Uint8Array[] {
    const { columns, bytes } = data as CsvRows;
    const header = columns.map(quoted).join(",") + LINE_END;
    if (this.header === header) return [bytes];
    if (this.header === undefined) {
      this.header = header;
      return [new TextEncoder().encode(header), bytes];
    }
    throw new ConfigError("partitions of one batch give rows with other columns, or in another order", {
      hint: `say which: fileSink({ format: "csv", columns: ${JSON.stringify(columns)}, … })`,
    });
  }
}

function field(value: unknown, column: string): string {
  switch (typeof value) {
    case "string":
      return value === "" ? '""' : quoted(value);
    case "number":
    case "boolean":
    case "bigint":
      return String(value);
    case "undefined":
      return "";
    case "object":
      if (value === null) return "";
      return quoted(value instanceof Date ? value.toISOString() : JSON.stringify(value));
    default:
      throw new TypeError(`a row's "${column}" is a ${typeof value}, which a CSV file cannot hold`);
  }
}

function quoted(text: string): string {
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
