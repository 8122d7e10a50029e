// Taking a job's row over: the head as it was read is compared, and a new token put there together with the entry that
// begins the term. Of several at once one wins, and the others begin anew with the new head. When beginning fails, the
// head is given a new token all the same: else a writer that appends faster than its log can be read could never be
// overtaken.
import { randomBytes } from "node:crypto";
import { type HBaseTable, Stamps } from "../../connectors/hbase/client.ts";
import type { LogWriter, NumberedEntry } from "../../runtime/index.ts";
import {
  byQualifier,
  decodeHead,
  decodeShown,
  encodeBounds,
  encodeEntryCell,
  encodeHead,
  entryName,
  FAMILY,
} from "./job-row.ts";
import { cellOf, HBaseLogWriter } from "./log-writer.ts";
import type { ShownOffsets } from "./shown-offsets.ts";

const SMALL_CELLS = ["head", "writer", "bounds", "shown", "heartbeat"];

export interface Taking {
  readonly table: HBaseTable;
  readonly jobName: string;
  readonly shownOffsets: ShownOffsets | undefined;
}

/**
 * Begins a term.
 * @throws RangeError it would begin at the head or below
 * @throws OutcomeUnknownError the reply was lost
 */
export async function takeOver(
  { table, jobName, shownOffsets }: Taking,
  begin: (head: bigint) => NumberedEntry,
  signal: AbortSignal,
): Promise<LogWriter> {
  for (;;) {
    const found = byQualifier(await table.get(jobName, FAMILY, SMALL_CELLS, signal));
    const stamps = new Stamps(Math.max(0, ...[...found.values()].map(({ stampMs }) => stampMs)));
    const headCell = found.get("head");
    const head = headCell === undefined ? undefined : decodeHead(headCell.value, jobName);
    const condition = { family: FAMILY, qualifier: "head", expected: headCell?.value };
    const writer = randomBytes(16).toString("hex");
    const atMs = stamps.next();
    let begun: NumberedEntry;
    try {
      begun = begin(head?.seq ?? -1n);
    } catch (error) {
      if (head !== undefined) {
        const fence = [
          cellOf("head", encodeHead({ writer, seq: head.seq }), atMs),
          cellOf("writer", Buffer.from(writer), atMs),
        ];
        await table.checkAndPut(jobName, condition, fence, signal);
      }
      throw error;
    }
    const { seq, entry } = begun;
    if (head !== undefined && seq <= head.seq) {
      throw new RangeError(`a term cannot begin at entry ${seq}: the head is ${head.seq}`);
    }
    const cells = [
      cellOf("head", encodeHead({ writer, seq }), atMs),
      cellOf("writer", Buffer.from(writer), atMs),
      cellOf(entryName(seq), encodeEntryCell(entry), atMs),
      ...(found.has("bounds") ? [] : [cellOf("bounds", encodeBounds({ first: seq, tidied: seq }), atMs)]),
    ];
    if (!(await table.checkAndPut(jobName, condition, cells, signal))) continue;
    // What an older writer put until then, beside the head, was not compared: a heartbeat, the bounds.
    const now = byQualifier(await table.get(jobName, FAMILY, SMALL_CELLS, signal));
    for (const { stampMs } of now.values()) stamps.passed(stampMs);
    // The writer before may have died between its append and showing its positions.
    const shownCell = now.get("shown");
    if (shownCell !== undefined) await shownOffsets?.show(decodeShown(shownCell.value, jobName), signal);
    return new HBaseLogWriter({ table, jobName, writer, stamps, shownOffsets });
  }
}
