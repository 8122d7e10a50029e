// Values that are JSON: trusted as they are, reduced to the fields that are wanted, or checked by a Standard Schema
// (zod, valibot, arktype; https://standardschema.dev).
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Deserializer } from "../contract/record.ts";
import { ConfigError } from "../errors.ts";
import { asBuffer, decodeUtf8, type SliceDeserializer } from "./deserializer.ts";
import type { JsonFields, ProjectedJson } from "./json-fields.ts";
import { projectedJson } from "./projected-json.ts";

function parseSlice(buffer: Buffer, start: number, end: number): unknown {
  return JSON.parse(decodeUtf8(buffer, start, end));
}

const jsonDeserializer: SliceDeserializer<unknown> = {
  deserialize: (value) => parseSlice(asBuffer(value), 0, value.byteLength),
  deserializeSlice: parseSlice,
};

/** Values as JSON, taken to be of type `T` without looking; what is no JSON makes a poison record. */
export function json<T = unknown>(): Deserializer<T>;
/** Values as JSON, checked and converted by a schema; what does not fit makes a poison record that names the path. */
export function json<S extends StandardSchemaV1>(schema: S): Deserializer<StandardSchemaV1.InferOutput<S>>;
/**
 * Of each JSON object only the wanted fields, several times as fast as all of it: `json({ id: "number", "address.city":
 * "string?" })` gives `{ id: number; address: { city: string | null } }`. A field that is missing (unless its type ends
 * with "?") or has another type makes a poison record that names it.
 * @throws ConfigError a name or a type cannot be right
 */
export function json<const Fields extends JsonFields>(fields: Fields): Deserializer<ProjectedJson<Fields>>;
export function json(wanted?: StandardSchemaV1 | JsonFields): Deserializer<unknown> {
  if (wanted === undefined) return jsonDeserializer;
  if (isSchema(wanted)) return checkedJson(wanted);
  if (typeof wanted === "object" && wanted !== null && Object.getPrototypeOf(wanted) === Object.prototype) {
    return projectedJson(wanted);
  }
  throw new ConfigError("json(…) was given neither fields nor a Standard Schema", {
    hint: 'name fields, as in json({ id: "number" }), pass a schema of zod, valibot or arktype, or use json<Type>()',
  });
}

function isSchema(wanted: StandardSchemaV1 | JsonFields): wanted is StandardSchemaV1 {
  const standard: unknown = (wanted as Partial<StandardSchemaV1> | null)?.["~standard"];
  return typeof standard === "object" && standard !== null && "validate" in standard;
}

function checkedJson(schema: StandardSchemaV1): Deserializer<unknown> {
  const standard = schema["~standard"];
  return {
    deserialize(value) {
      const result = standard.validate(parseSlice(asBuffer(value), 0, value.byteLength));
      return result instanceof Promise ? result.then(outputOf) : outputOf(result);
    },
  };
}

function outputOf(result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  throw new Error(result.issues.map(describeIssue).join("; "));
}

function describeIssue({ path, message }: StandardSchemaV1.Issue): string {
  if (path === undefined || path.length === 0) return message;
  return `${path.map((part) => String(typeof part === "object" ? part.key : part)).join(".")}: ${message}`;
}
