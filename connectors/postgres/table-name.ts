// A table as people name it, `large_payments` or `sales.large_payments`, and as SQL has it. Names are taken as they
// stand: upper case stays upper case, and what is special is quoted, so that no name can be anything but a name.
import { ConfigError } from "../../runtime/index.ts";
import { quoted } from "./failures.ts";

/** Postgres cuts what is longer, silently. */
const MAX_IDENTIFIER_BYTES = 63;
const PART = /^(?:"((?:[^"]|"")+)"|([^".]+))$/;

/** A table's name, ready for SQL; as it is found by `search_path` when it has no schema. */
export interface TableName {
  /** For messages, as it was given. */
  readonly given: string;
  readonly sql: string;
}

/**
 * Reads `table` or `schema.table`; a part that has a dot in it stands in double quotes.
 * @throws ConfigError
 */
export function parseTableName(given: string): TableName {
  const parts = typeof given === "string" ? (given.match(/"(?:[^"]|"")*"|[^."]+|[."]/g) ?? []) : [];
  const names = parts.filter((_, index) => index % 2 === 0).map((part) => PART.exec(part));
  const isSeparated = parts.every((part, index) => index % 2 === 0 || part === ".");
  if (parts.length === 0 || parts.length > 3 || parts.length % 2 === 0 || !isSeparated || names.includes(null)) {
    throw new ConfigError(`${JSON.stringify(given)} is not the name of a table`, {
      hint: 'table: "payments" or "sales.payments"; a part with a dot or a quote in it in double quotes',
    });
  }
  const identifiers = names.map((match) => checkIdentifier(match?.[1]?.replaceAll('""', '"') ?? match?.[2] ?? ""));
  return { given, sql: identifiers.map(quoted).join(".") };
}

/** Gives a name back that Postgres takes as it is. @throws ConfigError it is empty, too long, or has a NUL in it */
export function checkIdentifier(name: string): string {
  if (typeof name === "string" && name !== "" && !name.includes("\u0000") && name.isWellFormed()) {
    if (Buffer.byteLength(name) <= MAX_IDENTIFIER_BYTES) return name;
  }
  throw new ConfigError(`${JSON.stringify(name)} is no name for Postgres`, {
    hint: `1 to ${MAX_IDENTIFIER_BYTES} bytes of UTF-8 without NUL`,
  });
}
