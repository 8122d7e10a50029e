// What it means when Postgres refuses rows: a table or column that is not there, or a value that does not fit. The
// server tells the line of the copy, so the very row can be shown; and a table that is missing is proposed, with types
// after the first row.
import { ConfigError, PipelineError } from "../../runtime/index.ts";
import { isServerError, quoted, ROW_REFUSED, type ServerError } from "./failures.ts";
import type { CopyBlock } from "./row-encoder.ts";
import type { TableName } from "./table-name.ts";

const MAX_SHOWN = 300;

/** Rows on their way: some blocks' bytes together. */
export interface PendingRows extends Pick<CopyBlock, "columns" | "types"> {
  readonly chunks: readonly Uint8Array[];
  /** The number of the first of them in the batch, from 1. */
  readonly firstRow: number;
}

export interface Refused {
  readonly table: TableName;
  readonly rows: PendingRows;
  readonly batchId: number;
  /** `host:port/database` */
  readonly label: string;
  /** The key of mode "upsert". */
  readonly key: readonly string[];
}

/** The error to throw when the server refused these rows; undefined when it was something else. */
export function refusal(error: unknown, refused: Refused): Error | undefined {
  if (!isServerError(error)) return undefined;
  const { table, rows, batchId, label, key } = refused;
  const details = { cause: error };
  switch (error.code) {
    case "42P01":
    case "3F000":
      return new ConfigError(`there is no table ${table.given} in ${label}`, { ...details, hint: creation(refused) });
    case "42703":
      return new ConfigError(`${table.given} in ${label}: ${error.message}`, { ...details, hint: addition(refused) });
    case "42P10":
      return new ConfigError(`mode "upsert" needs a unique index on ${key.join(", ")} of ${table.given} in ${label}`, {
        ...details,
        hint: `create unique index on ${table.sql} (${key.map(quoted).join(", ")})`,
      });
  }
  if (!/^2[23]/.test(error.code)) return undefined;
  const line = lineOf(error);
  const row = line === undefined ? undefined : rowAt(rows, line);
  const rowNumber = row === undefined ? undefined : rows.firstRow + (line ?? 1) - 1;
  const where = rowNumber === undefined ? `batch ${batchId}` : `row ${rowNumber} of batch ${batchId}`;
  const column = columnOf(error);
  const place = `${table.given}${column === undefined ? "" : `, column ${column}`}`;
  const message = `${place} refuses ${where}: ${error.message}${row === undefined ? "" : `: ${cut(row)}`}`;
  return new PipelineError(message, {
    ...details,
    code: ROW_REFUSED,
    rowNumber,
    hint: error.detail ?? "mend the pipeline's rows, or the column's type: nothing of this batch was written",
  });
}

function creation({ table, rows, key }: Refused): string {
  const columns = rows.columns.map((name, index) => `${quoted(name)} ${rows.types[index] ?? "text"}`);
  if (key.length > 0) columns.push(`primary key (${key.map(quoted).join(", ")})`);
  return `create table ${table.sql} (${columns.join(", ")})`;
}

function addition({ table, rows }: Refused): string {
  const added = rows.columns.map((name, index) => `${quoted(name)} ${rows.types[index] ?? "text"}`);
  return `name what to write: columns: […], or: alter table ${table.sql} add column …, of ${added.join(", ")}`;
}

/** `COPY payments, line 3, column amount: "x"`; in other languages at least the number is there. */
function lineOf({ where = "" }: ServerError): number | undefined {
  const line = /^COPY .*?, [^\d,"]*(\d+)(?=[,:]|$)/m.exec(where)?.[1];
  return line === undefined ? undefined : Number(line);
}

function columnOf({ where = "", column }: ServerError): string | undefined {
  return column ?? /^COPY .*?, line \d+, column ([^:]+)/m.exec(where)?.[1];
}

/** The row of a line (from 1), as JSON of its values' texts. */
function rowAt({ columns, chunks }: PendingRows, line: number): string | undefined {
  const text = Buffer.concat(chunks).toString().split("\n")[line - 1];
  if (text === undefined || text === "") return undefined;
  const values = text.split("\t").map((value) => (value === "\\N" ? null : value.replace(/\\(.)/g, unescaped)));
  return JSON.stringify(Object.fromEntries(columns.map((name, index) => [name, values[index]])));
}

function unescaped(_: string, letter: string): string {
  return { n: "\n", r: "\r", t: "\t" }[letter] ?? letter;
}

function cut(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
