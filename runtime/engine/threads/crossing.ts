// What of the pipeline's rows can go to another thread as it is. A copy by structuredClone has no methods and no
// getters, so that an instance of a class would arrive as something else without a word: it is refused.

const CLONED_WHOLE = [Date, RegExp, Error, ArrayBuffer, Boolean, Number, String];

/**
 * The row as it is to be sent: itself, or for a source's record, which reads some of its fields on access, all of them.
 * @throws TypeError it, or something in it, would not arrive as what it is
 */
export function asSent(row: unknown): unknown {
  if (!isObject(row) || isPlain(row) || !isRecord(row)) {
    checkWhole(row, "it is", new Set());
    return row;
  }
  const { topic, partition, offset, timestamp, key, value, headers } = row;
  const sent = { topic, partition, offset, timestamp, key, value, headers };
  checkWhole(sent, "it is", new Set());
  return sent;
}

/** @throws TypeError beginning with `is`: it is or holds a function, a symbol, or an instance of a class */
function checkWhole(value: unknown, is: string, seen: Set<object>): void {
  if (typeof value === "function" || typeof value === "symbol") throw new TypeError(`${is} a ${typeof value}`);
  if (!isObject(value) || ArrayBuffer.isView(value) || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Map) for (const part of value) checkWhole(part, "it holds", seen);
  else if (Array.isArray(value) || value instanceof Set) for (const part of value) checkWhole(part, "it holds", seen);
  else if (isPlain(value)) for (const part of Object.values(value)) checkWhole(part, "it holds", seen);
  else if (isRecord(value)) throw new TypeError(`${is} a source's record: take from it what is needed`);
  else if (!CLONED_WHOLE.some((known) => value instanceof known)) {
    throw new TypeError(`${is} an instance of ${value.constructor?.name ?? "a class"}`);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Why `structuredClone` does not take it; undefined: it does. */
export function whyNotCloned(row: unknown): unknown {
  try {
    structuredClone(row);
    return undefined;
  } catch (error) {
    return error;
  }
}

interface RecordLike {
  readonly topic: unknown;
  readonly partition: unknown;
  readonly offset: unknown;
  readonly timestamp: unknown;
  readonly key: unknown;
  readonly value: unknown;
  readonly headers: unknown;
}

function isRecord(row: object): row is RecordLike {
  return "topic" in row && "partition" in row && "offset" in row && "headers" in row && "value" in row;
}
