// A value of a row in the text format of `copy` (https://www.postgresql.org/docs/current/sql-copy.html): the server
// reads it by its column's type. Pure. What Postgres could not give back as it was is refused here, where the record it
// came from is still known.

const SPECIAL = /[\\\n\r\t]/g;
const NEEDS_CARE = /[\\\n\r\t\0]/;
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const NULL_TEXT = "\\N";

/**
 * The text of one value: null and undefined are NULL, a Date a timestamp in UTC, bytes are bytea, other objects and
 * arrays JSON.
 * @throws TypeError | RangeError there is no text for it
 */
export function valueText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return escaped(value);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "undefined":
      return NULL_TEXT;
    case "boolean":
    case "bigint":
      return String(value);
    case "object":
      return value === null ? NULL_TEXT : objectText(value);
    default:
      throw new TypeError(`a ${typeof value} cannot be written to Postgres`);
  }
}

/** A column type that takes such a value, for the table that is proposed when there is none. */
export function columnTypeFor(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? "bigint" : "double precision";
  if (typeof value === "bigint") return "numeric";
  if (typeof value === "boolean") return "boolean";
  if (value instanceof Date) return "timestamptz";
  if (value instanceof Uint8Array) return "bytea";
  return typeof value === "object" && value !== null ? "jsonb" : "text";
}

function objectText(value: object): string {
  if (value instanceof Date) return timestampText(value);
  if (value instanceof Uint8Array) {
    return `\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
  }
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    throw new TypeError(`a ${value.constructor.name} has no JSON: make it an object or an array`);
  }
  const json: string | undefined = JSON.stringify(value);
  return json === undefined ? NULL_TEXT : escaped(json);
}

function escaped(text: string): string {
  if (!text.isWellFormed()) throw new RangeError("Postgres keeps no text with half a surrogate pair in it");
  if (!NEEDS_CARE.test(text)) return text;
  if (text.includes("\0")) throw new RangeError("Postgres keeps no text with a NUL (\\u0000) in it");
  return text.replace(SPECIAL, (character) => ESCAPES[character] ?? character);
}

/** ISO 8601, but with years as Postgres reads them outside of 1 to 9999. */
function timestampText(date: Date): string {
  const iso = date.toISOString();
  const year = date.getUTCFullYear();
  if (year >= 1 && year <= 9999) return iso;
  const rest = iso.slice(iso.indexOf("-", 1));
  return year > 9999 ? `${year}${rest}` : `${String(1 - year).padStart(4, "0")}${rest} BC`;
}
