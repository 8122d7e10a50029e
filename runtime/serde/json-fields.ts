// Which fields of a JSON value are wanted, and of which type: the argument of `json({ … })`, its TypeScript type, and
// the tree that is made of it once. A dot in a name goes into an object.
import { ConfigError } from "../errors.ts";
import { nearest } from "../suggest.ts";
import { JsonLayout } from "./json-layout.ts";

const KINDS = ["number", "string", "boolean", "json"] as const;

type Kind = (typeof KINDS)[number];

/** A field's type; with "?" it may be missing or null, and is null then. "json" is any value. */
export type JsonFieldType = Kind | `${Kind}?`;

/** Wanted fields by name; `"address.city"` is the field `city` of the object `address`. */
export type JsonFields = Readonly<Record<string, JsonFieldType>>;

interface KindTypes {
  number: number;
  string: string;
  boolean: boolean;
  json: unknown;
}

type ValueOf<T> = T extends `${infer K extends Kind}?` ? KindTypes[K] | null : T extends Kind ? KindTypes[T] : never;

type Head<Name> = Name extends `${infer First}.${string}` ? First : Name;

type Below<Fields, First extends string> = {
  [Name in keyof Fields as Name extends `${First}.${infer Rest}` ? Rest : never]: Fields[Name];
};

/** What `json(fields)` makes of a value: the wanted fields, in objects as they were, and nothing else. */
export type ProjectedJson<Fields> = {
  [First in Head<keyof Fields & string>]: First extends keyof Fields
    ? ValueOf<Fields[First]>
    : ProjectedJson<Below<Fields, First>>;
};

/** One wanted field. */
export interface JsonField {
  readonly name: string;
  /** The name's UTF-8 bytes. */
  readonly bytes: Uint8Array;
  /** From the value's root, for messages: "address.city". */
  readonly path: string;
  readonly kind: Kind | "object";
  readonly isOptional: boolean;
  /** Where its value is kept while a value is read; each field has its own. */
  readonly slot: number;
  /** The wanted fields of an object. */
  readonly below: JsonFieldTree | undefined;
}

/** The wanted fields of one object, in the order in which they were named. */
export interface JsonFieldTree {
  readonly fields: readonly JsonField[];
  /** By the length of their names in bytes; undefined where no name has it. */
  readonly byLength: readonly (readonly JsonField[] | undefined)[];
  /** All fields with null: what a value is made from, so that all values have one shape. */
  readonly empty: Readonly<Record<string, null>>;
  /** What the scanner learned of such objects. */
  readonly layout: JsonLayout<JsonField>;
}

/** The fields as a tree, and how many slots it needs. @throws ConfigError a name or a type cannot be right */
export function fieldTree(wanted: JsonFields): { readonly tree: JsonFieldTree; readonly slots: number } {
  const entries = Object.entries(wanted).map(([name, type]) => ({
    path: name.split("."),
    type: checkType(name, type),
  }));
  if (entries.length === 0) {
    throw new ConfigError("json({}) names no field", { hint: 'for example json({ id: "number" }), or json<Type>()' });
  }
  let slots = 0;
  const tree = treeOf(entries, "", () => slots++);
  return { tree, slots };
}

interface WantedField {
  readonly path: readonly string[];
  readonly type: JsonFieldType;
}

function treeOf(entries: readonly WantedField[], above: string, newSlot: () => number): JsonFieldTree {
  const byName = new Map<string, WantedField[]>();
  for (const entry of entries) {
    const [name = ""] = entry.path;
    if (name === "" || name === "__proto__") {
      throw new ConfigError(`json(…) cannot read a field named ${JSON.stringify(above + entry.path.join("."))}`);
    }
    byName.set(name, [...(byName.get(name) ?? []), entry]);
  }
  const fields = [...byName].map(([name, of]) => fieldOf(name, of, above, newSlot));
  const byLength: (JsonField[] | undefined)[] = [];
  for (const field of fields) {
    const length = field.bytes.length;
    while (byLength.length <= length) byLength.push(undefined);
    byLength[length] = [...(byLength[length] ?? []), field];
  }
  const empty = Object.fromEntries(fields.map(({ name }) => [name, null]));
  return { fields, byLength, empty, layout: new JsonLayout() };
}

function fieldOf(name: string, of: readonly WantedField[], above: string, newSlot: () => number): JsonField {
  const path = above + name;
  const slot = newSlot();
  const common = { name, bytes: new TextEncoder().encode(name), path, slot };
  const [only] = of;
  if (only !== undefined && of.length === 1 && only.path.length === 1) {
    const isOptional = only.type.endsWith("?");
    return { ...common, kind: (isOptional ? only.type.slice(0, -1) : only.type) as Kind, isOptional, below: undefined };
  }
  if (of.some((entry) => entry.path.length === 1)) {
    throw new ConfigError(`json(…) names ${path} and a field inside of it`, { hint: `name one of them` });
  }
  const inside = of.map((entry) => ({ ...entry, path: entry.path.slice(1) }));
  const below = treeOf(inside, `${path}.`, newSlot);
  return { ...common, kind: "object", isOptional: below.fields.every((field) => field.isOptional), below };
}

function checkType(name: string, type: unknown): JsonFieldType {
  const known = KINDS.flatMap((kind) => [kind, `${kind}?`] as const);
  const found = known.find((each) => each === type);
  if (found !== undefined) return found;
  const near = typeof type === "string" ? nearest(type, known) : undefined;
  throw new ConfigError(`json(…): the type of ${name} cannot be ${JSON.stringify(type)}`, {
    hint: near === undefined ? `it is one of ${known.join(", ")}` : `did you mean "${near}"?`,
  });
}
