// Turns rows into bytes for `copy`, where the pipeline runs. A block holds consecutive rows with the same columns. When
// columns are not given, they are the properties of the rows: one that turns up later begins a new block, and one that
// a row lacks is NULL there. Pure.
import { asPlainRow, type EncodedRows, type RowEncoder } from "../../runtime/index.ts";
import { CopyText } from "./copy-text.ts";
import { checkIdentifier } from "./table-name.ts";
import { columnTypeFor } from "./value-text.ts";

/** Rows of equal columns in copy's text format, a line a row. Plain data. */
export interface CopyBlock {
  readonly columns: readonly string[];
  /** A column type for each column, after the block's first row. */
  readonly types: readonly string[];
  readonly rowCount: number;
  /** Has its ArrayBuffer to itself. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

type Row = Readonly<Record<string, unknown>>;

export interface EncoderOptions {
  /** What to write of a row; undefined: all its properties. */
  readonly columns: readonly string[] | undefined;
  /** Columns that no row may lack. */
  readonly key: readonly string[];
}

/** Gathers rows; `take` gives `readonly CopyBlock[]`. */
export class CopyRowEncoder implements RowEncoder<object> {
  readonly #isGiven: boolean;
  readonly #key: readonly string[];
  #columns: readonly string[];
  #types: readonly string[] = [];
  readonly #lines = new CopyText();
  #lineCount = 0;
  #blocks: CopyBlock[] = [];

  constructor({ columns, key }: EncoderOptions) {
    this.#isGiven = columns !== undefined;
    this.#columns = columns ?? [];
    this.#key = key;
  }

  add(row: object): void {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new TypeError("postgresSink takes objects, with a property for each column");
    }
    const values = asPlainRow(row) as Row;
    for (const name of this.#key) {
      if (values[name] === undefined || values[name] === null) throw new TypeError(`the row has no key ${name}`);
    }
    if (!this.#addInOrder(values)) this.#addByName(values);
    if (this.#lineCount === 0) this.#types = this.#columns.map((name) => columnTypeFor(values[name]));
    this.#lineCount++;
  }

  take(): EncodedRows | undefined {
    this.#closeBlock();
    if (this.#blocks.length === 0) return undefined;
    const data = this.#blocks;
    this.#blocks = [];
    return { rowCount: data.reduce((sum, block) => sum + block.rowCount, 0), data };
  }

  /** Adds a row with the columns' names in their order, as nearly every row is; leaves the others to the slower way. */
  #addInOrder(row: Row): boolean {
    const columns = this.#columns;
    const lines = this.#lines;
    const begun = lines.length;
    try {
      let index = 0;
      // An inherited property is as good: the slower way would write it, too.
      for (const name in row) {
        if (name !== columns[index]) return this.#takeBack(begun);
        if (index++ > 0) lines.separator();
        lines.value(row[name]);
      }
      if (index === 0 || index < columns.length) return this.#takeBack(begun);
      lines.endOfLine();
      return true;
    } catch {
      // The slower way says which column it was.
      return this.#takeBack(begun);
    }
  }

  #takeBack(length: number): false {
    this.#lines.rewind(length);
    return false;
  }

  #addByName(row: Row): void {
    if (!this.#isGiven && !this.#covers(row)) this.#grow(row);
    const begun = this.#lines.length;
    for (const [index, name] of this.#columns.entries()) {
      if (index > 0) this.#lines.separator();
      try {
        this.#lines.value(row[name]);
      } catch (error) {
        this.#lines.rewind(begun);
        throw new TypeError(`column ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#lines.endOfLine();
  }

  /** Whether every property of the row has its column. */
  #covers(row: Row): boolean {
    const columns = this.#columns;
    const names = Object.keys(row);
    if (names.length === columns.length && names.every((name, index) => name === columns[index])) return true;
    return columns.length > 0 && names.every((name) => row[name] === undefined || columns.includes(name));
  }

  #grow(row: Row): void {
    const known = new Set(this.#columns);
    const added = Object.keys(row).filter((name) => row[name] !== undefined && !known.has(name));
    if (known.size + added.length === 0) throw new TypeError("the row has no properties to write");
    added.forEach(checkIdentifier);
    this.#closeBlock();
    this.#columns = [...this.#columns, ...added];
  }

  #closeBlock(): void {
    if (this.#lineCount === 0) return;
    const bytes = this.#lines.take();
    this.#blocks.push({ columns: this.#columns, types: this.#types, rowCount: this.#lineCount, bytes });
    this.#lineCount = 0;
  }
}
