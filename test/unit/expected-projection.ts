// What `json({ … })` must give, found in the slow and sure way: by JSON.parse, and by looking at each field by hand.
import { json } from "../../runtime/index.ts";

export const fields = {
  id: "number",
  user: "string",
  on: "boolean?",
  any: "json?",
  note: "string?",
  "address.city": "string?",
  "address.geo.lat": "number?",
} as const;

/** A decoder of its own, which has learned nothing yet; it gives undefined where it throws. */
export function newDecoder(): (bytes: Uint8Array) => unknown {
  const decoder = json(fields);
  return (bytes) => {
    try {
      return decoder.deserialize(bytes, { topic: "t", partition: 0, headers: [] });
    } catch (error) {
      if (error instanceof Error) return undefined;
      throw error;
    }
  };
}

/** The value that must come out; undefined when it must be an error. */
export function expected(bytes: Uint8Array): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
  const root = asObject(parsed);
  const address = asObject(root?.["address"] ?? {});
  const geo = asObject(address?.["geo"] ?? {});
  if (root === undefined || address === undefined || geo === undefined) return undefined;
  const [id, user] = [root["id"], root["user"]];
  const [on, any, note] = [root["on"] ?? null, root["any"] ?? null, root["note"] ?? null];
  const [city, lat] = [address["city"] ?? null, geo["lat"] ?? null];
  const isRight =
    typeof id === "number" &&
    typeof user === "string" &&
    (on === null || typeof on === "boolean") &&
    (note === null || typeof note === "string") &&
    (city === null || typeof city === "string") &&
    (lat === null || typeof lat === "number");
  return isRight ? { id, user, on, any, note, address: { city, geo: { lat } } } : undefined;
}

/** Whether two such values are the same. Deep equality of objects is slow; their JSON tells all but the sign of −0. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other) && signs(one) === signs(other);
}

function signs(value: unknown): string {
  const { id, address } = (value ?? {}) as { id?: number; address?: { geo: { lat: number | null } } };
  return `${Object.is(id, -0)} ${Object.is(address?.geo.lat, -0)}`;
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.assign(Object.create(null), value);
}
