// Reads a job's row: its bounds, and its entries in pages whose length follows the entries' size.
import type { HBaseCell, HBaseTable } from "../../connectors/hbase/client.ts";
import type { LogBounds, NumberedEntry } from "../../runtime/index.ts";
import {
  BEYOND_ENTRIES,
  byQualifier,
  decodeBounds,
  decodeEntryCell,
  decodeHead,
  entryName,
  FAMILY,
  seqOf,
} from "./job-row.ts";

/** Cells of a first page: of the largest entries, what a server's answer may still hold. */
export const FIRST_PAGE = 8;
const LONGEST_PAGE = 512;
/** What a page is to take. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** undefined: the row is not there. */
export async function readBounds(
  table: HBaseTable,
  jobName: string,
  signal: AbortSignal,
): Promise<LogBounds | undefined> {
  const found = byQualifier(await table.get(jobName, FAMILY, ["head", "bounds"], signal));
  const [head, bounds] = [found.get("head"), found.get("bounds")];
  if (head === undefined || bounds === undefined) return undefined;
  return { first: decodeBounds(bounds.value, jobName).first, head: decodeHead(head.value, jobName).seq };
}

/** The entries that count, from `from` on (inclusive), in order. */
export async function* readEntries(
  table: HBaseTable,
  jobName: string,
  from: bigint,
  signal: AbortSignal,
): AsyncIterable<NumberedEntry> {
  const bounds = await readBounds(table, jobName, signal);
  if (bounds === undefined) return;
  let next = from > bounds.first ? from : bounds.first;
  for (let limit = FIRST_PAGE; ; ) {
    const range = { family: FAMILY, from: entryName(next), until: BEYOND_ENTRIES, limit };
    const cells = await table.getRange(jobName, range, signal);
    for (const { qualifier, value } of cells) {
      const seq = seqOf(qualifier);
      if (seq === undefined) continue;
      next = seq + 1n;
      yield { seq, entry: decodeEntryCell(value, jobName) };
    }
    if (cells.length < limit) return;
    limit = pageAfter(cells);
  }
}

/** How many cells to ask for after a full page of these. */
export function pageAfter(cells: readonly HBaseCell[]): number {
  const bytes = cells.reduce((sum, { value }) => sum + value.length, 0);
  const fitting = Math.floor((PAGE_BYTES * cells.length) / (bytes + 1));
  return Math.max(1, Math.min(LONGEST_PAGE, cells.length * 4, fitting));
}
