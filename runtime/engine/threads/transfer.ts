// What encoded rows take, and which of their memory is handed over instead of copied when they go to another thread.
import { isMarkedAsUntransferable } from "node:worker_threads";
import type { EncodedRows } from "../../contract/sink.ts";

/** So deep may the bytes lie in what a sink encodes to. */
const MAX_DEPTH = 4;
/** What a row counts that is sent as it is: nobody knows what it takes. */
const PLAIN_ROW_BYTES = 200;

export interface Transfer {
  readonly sizeBytes: number;
  /** Each once. */
  readonly buffers: readonly ArrayBuffer[];
}

/** Rows that are cloned: their memory may be the pipeline's own. */
export function cloned(rowCount: number): Transfer {
  return { sizeBytes: rowCount * PLAIN_ROW_BYTES, buffers: [] };
}

/** Rows that a sink encodes to bytes of their own (`Sink.encodesToBytes`). */
export function handedOver({ data }: EncodedRows): Transfer {
  const buffers = new Set<ArrayBuffer>();
  let sizeBytes = 0;
  const visit = (value: unknown, depth: number): void => {
    if (ArrayBuffer.isView(value)) {
      sizeBytes += value.byteLength;
      // A small Buffer is a part of a pool that is shared with others, and is copied.
      if (value.buffer instanceof ArrayBuffer && !isMarkedAsUntransferable(value.buffer)) buffers.add(value.buffer);
    } else if (typeof value === "object" && value !== null && depth < MAX_DEPTH) {
      for (const part of Object.values(value)) visit(part, depth + 1);
    }
  };
  visit(data, 0);
  return { sizeBytes, buffers: [...buffers] };
}
