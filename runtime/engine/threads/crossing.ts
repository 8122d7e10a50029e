// What of the pipeline's rows can go to another thread as it is. A copy by structuredClone has no methods and no
// getters, so that an instance of a class would arrive as something else without a word: it is refused.

const CLONED_WHOLE = [Date, RegExp, Error, ArrayBuffer, Boolean, Number, String];

/**
 * The row as it is to be sent: itself, or for a source's record, which reads some of its fields on access, all of them.
 * @throws TypeError it, or something in it, would not arrive as what it is
 */
export function asSent(row: unknown): unknown {
  const sent = isObject(row) && !isPlain(row) && isRecord(row) ? allOf(row) : row;
  checkWhole(sent, "it is", undefined);
  return sent;
}

function allOf({ topic, partition, offset, timestamp, key, value, headers }: RecordLike): RecordLike {
  return { topic, partition, offset, timestamp, key, value, headers };
}

/**
 * @param seen what was checked already; undefined: nothing
 * @throws TypeError beginning with `is`: it is or holds a function, a symbol, or an instance of a class
 */
function checkWhole(value: unknown, is: string, seen: Set<object> | undefined): void {
  if (typeof value === "function" || typeof value === "symbol") throw new TypeError(`${is} a ${typeof value}`);
  if (!isObject(value) || ArrayBuffer.isView(value) || seen?.has(value)) return;
  if (isPlain(value)) checkParts(Object.values(value), value, seen);
  else if (Array.isArray(value) || value instanceof Set) checkParts(value, value, seen);
  else if (value instanceof Map) for (const entry of value) checkParts(entry, value, seen);
  else if (isRecord(value)) throw new TypeError(`${is} a source's record: take from it what is needed`);
  else if (!CLONED_WHOLE.some((known) => value instanceof known)) {
    throw new TypeError(`${is} an instance of ${value.constructor?.name ?? "a class"}`);
  }
}

/** Flat rows are the most: only what holds objects is remembered, lest it hold itself. */
function checkParts(parts: Iterable<unknown>, whole: object, seen: Set<object> | undefined): void {
  let known = seen;
  for (const part of parts) {
    if (typeof part !== "object" && typeof part !== "function" && typeof part !== "symbol") continue;
    known ??= new Set();
    known.add(whole);
    checkWhole(part, "it holds", known);
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
