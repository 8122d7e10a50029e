// `json({ … })`: of each JSON value only the wanted fields, with their types checked. The scanner takes most documents;
// what it does not take is parsed as a whole, which gives the same value, or tells which field is wrong.
import type { Deserializer } from "../contract/record.ts";
import { asBuffer, decodeUtf8, type SliceDeserializer } from "./deserializer.ts";
import { fieldTree, type JsonField, type JsonFields, type JsonFieldTree, type ProjectedJson } from "./json-fields.ts";
import { JsonScanner } from "./json-scanner.ts";

/**
 * Reads the wanted fields and no others.
 * @throws ConfigError a name or a type cannot be right
 */
export function projectedJson<const Fields extends JsonFields>(fields: Fields): Deserializer<ProjectedJson<Fields>> {
  const { tree, slots } = fieldTree(fields);
  const scanner = new JsonScanner(tree, slots);
  const read = (buffer: Buffer, start: number, end: number): Record<string, unknown> => {
    if (scanner.scan(buffer, start, end)) {
      const value = foundIn(tree, scanner.slots);
      if (value !== undefined) return value;
    }
    return project(tree, JSON.parse(decodeUtf8(buffer, start, end)), "");
  };
  const deserializer: SliceDeserializer<Record<string, unknown>> = {
    deserialize: (value) => read(asBuffer(value), 0, value.byteLength),
    deserializeSlice: read,
  };
  return deserializer as Deserializer<ProjectedJson<Fields>>;
}

/** The value that the slots hold; undefined when a field is missing that must be there. */
function foundIn({ fields, empty }: JsonFieldTree, slots: readonly unknown[]): Record<string, unknown> | undefined {
  // To write over properties that are there already is twice as fast as to add them.
  const value: Record<string, unknown> = { ...empty };
  for (let index = 0; index < fields.length; index++) {
    const { name, slot, isOptional, below } = fields[index] as JsonField;
    let found = slots[slot];
    if (below !== undefined) found = foundIn(below, slots);
    else if (found === undefined && isOptional) found = null;
    if (found === undefined) return undefined;
    set(value, index, name, found);
  }
  return value;
}

/** Each of these places meets one name only, where a program has one such decoder: the engine is fast with that. */
function set(value: Record<string, unknown>, index: number, name: string, found: unknown): void {
  switch (index) {
    case 0:
      value[name] = found;
      return;
    case 1:
      value[name] = found;
      return;
    case 2:
      value[name] = found;
      return;
    case 3:
      value[name] = found;
      return;
    case 4:
      value[name] = found;
      return;
    case 5:
      value[name] = found;
      return;
    default:
      value[name] = found;
  }
}

/** The wanted fields of a parsed value. @throws Error what is wrong with which field */
function project({ fields, empty }: JsonFieldTree, parsed: unknown, path: string): Record<string, unknown> {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Error(`${path || "the value"} is ${nameOf(parsed)}, not an object`);
  }
  const value: Record<string, unknown> = { ...empty };
  for (const field of fields) {
    const found = Object.hasOwn(parsed, field.name) ? (parsed as Record<string, unknown>)[field.name] : undefined;
    value[field.name] = fieldValue(field, found);
  }
  return value;
}

function fieldValue(field: JsonField, found: unknown): unknown {
  const { kind, path, isOptional, below } = field;
  const isMissing = found === undefined || found === null;
  if (isMissing && !isOptional && !(kind === "json" && found === null)) {
    throw new Error(found === null ? `${path} is null` : `${path} is missing`);
  }
  if (below !== undefined) return project(below, found ?? {}, path);
  if (isMissing) return null;
  if (kind !== "json" && typeof found !== kind) throw new Error(`${path} is ${nameOf(found)}, not a ${kind}`);
  return found;
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
