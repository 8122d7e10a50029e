// Finds the first line of a file at or after a time, taking times not to decrease: a binary search over the index's
// line starts, then line by line. Lines that have no time (without a value, or no value that can be read) are passed
// over.
import type { FileHandle } from "node:fs/promises";
import { lineValues } from "./line-values.ts";
import type { PartitionFile } from "./partition-file.ts";

/**
 * The time of a value, ms since the Unix epoch; undefined when it has none. Bytes: `start` inclusive, `end` exclusive.
 */
export type TimeOf = (buffer: Buffer, start: number, end: number) => Promise<number | undefined>;

/** The number of the first line at or after `timestampMs`; the number of lines when there is none. */
export async function findLineAtTime(
  file: PartitionFile,
  handle: FileHandle,
  timestampMs: number,
  timeOf: TimeOf,
  signal: AbortSignal,
): Promise<number> {
  const index = file.lineIndex;
  // Entry −1 is the file's start. What is sought lies after entry `low` and not after entry `high`.
  let low = -1;
  let high = index.entryCount;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    const isLate = await firstLine(file, handle, middle, () => true, timeOf, signal);
    if (isLate === undefined || isLate.time >= timestampMs) high = middle;
    else low = middle;
  }
  const found = await firstLine(file, handle, low, (time) => time >= timestampMs, timeOf, signal);
  return found?.line ?? file.lines;
}

/** The first line from an index entry on whose time is as wished. */
async function firstLine(
  file: PartitionFile,
  handle: FileHandle,
  entry: number,
  isWished: (time: number) => boolean,
  timeOf: TimeOf,
  signal: AbortSignal,
): Promise<{ readonly line: number; readonly time: number } | undefined> {
  const from = file.lineIndex.entry(entry);
  let { line } = from;
  for await (const block of file.blocks(handle, from.byte, file.lineIndex.endByte, signal)) {
    for (const { start, end, absent } of lineValues(block)) {
      const time = absent ? undefined : await timeOf(block.buffer, start, end);
      if (time !== undefined && isWished(time)) return { line, time };
      line++;
    }
  }
  return undefined;
}
