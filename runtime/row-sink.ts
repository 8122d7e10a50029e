// A sink that gets a batch's rows as they are: what a function sink becomes, and what in-process sinks are made of.
// It holds the rows of one batch in memory until they are committed.

import type { SinkFunction } from "./contract/job.ts";
import type { BatchCommits, EncodedRows, RowEncoder, Sink } from "./contract/sink.ts";
import { messageOf, PipelineError, TidemarkError } from "./errors.ts";

/** Hands rows on unencoded: `data` is the array of rows. */
export class PlainRowEncoder<Row> implements RowEncoder<Row> {
  #rows: Row[] = [];

  add(row: Row): void {
    this.#rows.push(row);
  }

  take(): EncodedRows | undefined {
    if (this.#rows.length === 0) return undefined;
    const data = this.#rows;
    this.#rows = [];
    return { rowCount: data.length, data };
  }
}

/** A replay commits nothing: what its sink function says about commits goes nowhere. */
const NO_COMMITS: BatchCommits = {
  commitSync: () => Promise.resolve(),
  commitAsync: (listener) => listener?.(undefined),
};

/**
 * Wraps `async (rows, batch) => …`: called once per batch that has rows; at-least-once, unless it makes itself
 * idempotent.
 */
export function functionSink<Row>(write: SinkFunction<Row>): Sink<Row> {
  return {
    kind: "function",
    guarantee: "at-least-once",
    encoder: () => new PlainRowEncoder<Row>(),
    async open() {
      return {
        async begin(batch, commits = NO_COMMITS) {
          const rows: Row[] = [];
          return {
            async write(encoded) {
              for (const row of encoded.data as Row[]) rows.push(row);
            },
            async commit() {
              if (rows.length === 0) return;
              try {
                await write(rows, { ...batch, ...commits });
              } catch (cause) {
                if (cause instanceof TidemarkError) throw cause;
                throw new PipelineError(`the sink function failed: ${messageOf(cause)}`, { cause });
              }
            },
            async [Symbol.asyncDispose]() {
              rows.length = 0;
            },
          };
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}
