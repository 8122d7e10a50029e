// Reads a job's row: its bounds, and its entries in pages whose length follows the entries' size.
import type { HBaseTable } from "../../connectors/hbase/client.ts";
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

const FIRST_PAGE = 8;
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
    let bytes = 0;
    for (const { qualifier, value } of cells) {
      const seq = seqOf(qualifier);
      if (seq === undefined) continue;
      bytes += value.length;
      next = seq + 1n;
      yield { seq, entry: decodeEntryCell(value, jobName) };
    }
    if (cells.length < limit) return;
    limit = Math.max(1, Math.min(LONGEST_PAGE, limit * 4, Math.floor((PAGE_BYTES * limit) / (bytes + 1))));
  }
}
