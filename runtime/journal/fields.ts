// Reads fields out of JSON that nobody vouches for. Each getter checks the type it promises and names the place when
// it is wrong.
import { comparePartitions, type Position } from "../contract/positions.ts";
import { CheckpointCorruptError } from "../errors.ts";
import type { PlannedRange } from "../plan/plan.ts";

export type Json = Record<string, unknown>;

/** One object (or array, by index) of an entry. */
export class Fields {
  readonly #where: string;
  readonly #json: Json;

  constructor(json: unknown, where: string) {
    if (typeof json !== "object" || json === null) {
      throw new CheckpointCorruptError(`${where} is not an object`);
    }
    this.#json = json as Json;
    this.#where = where;
  }

  /** @throws CheckpointCorruptError not JSON, or no object */
  static parse(json: string, where: string): Fields {
    try {
      return new Fields(JSON.parse(json), where);
    } catch (cause) {
      if (cause instanceof CheckpointCorruptError) throw cause;
      throw new CheckpointCorruptError(`${where}: it is not JSON`, { cause });
    }
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#json, name);
  }

  string(name: string): string {
    const value = this.#json[name];
    if (typeof value === "string") return value;
    throw this.wrong(name, "a string");
  }

  /** A safe integer or, for times, any finite number ≥ 0. */
  number(name: string): number {
    const value = this.#json[name];
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
    throw this.wrong(name, "a number ≥ 0");
  }

  boolean(name: string): boolean {
    const value = this.#json[name];
    if (typeof value === "boolean") return value;
    throw this.wrong(name, "true or false");
  }

  /** A decimal string, as a bigint ≥ 0. */
  offset(name: string): bigint {
    const value = this.#json[name];
    if (typeof value === "string" && /^\d{1,19}$/.test(value)) return BigInt(value);
    throw this.wrong(name, "an offset in decimal digits");
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#json[name];
    const found = allowed.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    throw this.wrong(name, allowed.join(" or "));
  }

  object(name: string): Fields {
    return new Fields(this.#json[name], `${this.#where}: "${name}"`);
  }

  list(name: string): Fields[] {
    const value = this.#json[name];
    if (!Array.isArray(value)) throw this.wrong(name, "a list");
    return value.map((item, index) => new Fields(item, `${this.#where}: "${name}"[${index}]`));
  }

  wrong(name: string, expected: string): CheckpointCorruptError {
    return new CheckpointCorruptError(`${this.#where}: "${name}" is not ${expected}`, {
      hint: "runtime doctor job.ts shows what is still whole",
    });
  }
}

/** `[topic, partition, offset, mark?]`, sorted and without repetition. */
export function decodePositions(fields: Fields, name: string): Position[] {
  const positions = fields.list(name).map((item) => ({
    topic: item.string("0"),
    partition: item.number("1"),
    offset: item.offset("2"),
    ...(item.has("3") ? { mark: item.string("3") } : {}),
  }));
  for (let i = 1; i < positions.length; i++) {
    const [a, b] = [positions[i - 1], positions[i]];
    if (a && b && comparePartitions(a, b) >= 0) throw fields.wrong(name, "sorted by partition");
  }
  return positions;
}

/** `[topic, partition, from, until, untilMark?]`. */
export function decodeRanges(fields: Fields, name: string): PlannedRange[] {
  return fields.list(name).map((item) => {
    const range = {
      topic: item.string("0"),
      partition: item.number("1"),
      fromOffset: item.offset("2"),
      untilOffset: item.offset("3"),
      ...(item.has("4") ? { untilMark: item.string("4") } : {}),
    };
    if (range.untilOffset < range.fromOffset) throw item.wrong("3", "at or after the range's beginning");
    return range;
  });
}
