// What of the pipeline's rows can go to another thread as it is. A copy by structuredClone has no methods and no
// getters, so that an instance of a class would arrive as something else without a word: it is refused.

const CLONED_WHOLE = [Date, Map, Set, RegExp, Error, ArrayBuffer, Boolean, Number, String];

/**
 * The row as it is to be sent: itself, or for a source's record, which reads some of its fields on access, all of them.
 * @throws TypeError it would not arrive as what it is
 */
export function asSent(row: unknown): unknown {
  if (typeof row === "function" || typeof row === "symbol") throw new TypeError(`it is a ${typeof row}`);
  if (typeof row !== "object" || row === null) return row;
  const prototype: unknown = Object.getPrototypeOf(row);
  if (prototype === Object.prototype || prototype === null || Array.isArray(row)) return row;
  if (ArrayBuffer.isView(row) || CLONED_WHOLE.some((known) => row instanceof known)) return row;
  if (isRecord(row)) {
    const { topic, partition, offset, timestamp, key, value, headers } = row;
    return { topic, partition, offset, timestamp, key, value, headers };
  }
  throw new TypeError(`it is an instance of ${row.constructor?.name ?? "a class"}`);
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
