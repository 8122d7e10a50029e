// Values that are JSON: trusted as they are, or checked by a Standard Schema (zod, valibot, arktype;
// https://standardschema.dev).
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Deserializer } from "../contract/record.ts";
import { ConfigError } from "../errors.ts";
import { asBuffer, decodeUtf8, type SliceDeserializer } from "./deserializer.ts";

function parseSlice(buffer: Buffer, start: number, end: number): unknown {
  return JSON.parse(decodeUtf8(buffer, start, end));
}

const jsonDeserializer: SliceDeserializer<unknown> = {
  deserialize: (value) => parseSlice(asBuffer(value), 0, value.byteLength),
  deserializeSlice: parseSlice,
};

/** Values as JSON, taken to be of type `T` without looking; what is no JSON makes a poison record. */
export function json<T = unknown>(): Deserializer<T>;
/**
 * Values as JSON, checked and converted by a schema; what does not fit makes a poison record that names the path.
 * @throws ConfigError the argument is no Standard Schema
 */
export function json<S extends StandardSchemaV1>(schema: S): Deserializer<StandardSchemaV1.InferOutput<S>>;
export function json(schema?: StandardSchemaV1): Deserializer<unknown> {
  if (schema === undefined) return jsonDeserializer;
  if (typeof schema?.["~standard"]?.validate !== "function") {
    throw new ConfigError("json(…) was given something that is no Standard Schema", {
      hint: "pass a schema of zod (3.24 or later), valibot (1.0 or later) or arktype, or use json<Type>()",
    });
  }
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
