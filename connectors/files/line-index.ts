// The sparse index of one file: where about every 64 KiB a line begins. Pure: it is fed the file's bytes once, in
// order, and answers near which byte a line begins. Its size is bounded: past 65,536 entries, every other one is
// dropped.
import { ConfigError } from "../../runtime/index.ts";

const NEWLINE = 0x0a;
const FIRST_SPACING_BYTES = 64 * 1024;
const MAX_ENTRIES = 65_536;

/** The number of a line, from 0, and the byte at which it begins. */
export interface LineStart {
  readonly line: number;
  readonly byte: number;
}

/** The state of an index, as it is saved. Both lists rise and have the same length. */
export interface LineIndexState {
  readonly lines: number;
  readonly endByte: number;
  readonly spacingBytes: number;
  readonly entryLines: readonly number[];
  readonly entryBytes: readonly number[];
}

/** The lines of a file as far as it was read. */
export class LineIndex {
  /** Complete lines; a last line without a newline is not there yet. */
  lines = 0;
  /** The byte after the last newline; what comes after it is unfinished. */
  endByte = 0;
  private spacingBytes = FIRST_SPACING_BYTES;
  private entryLines: number[] = [];
  private entryBytes: number[] = [];

  static restore(state: LineIndexState): LineIndex {
    const index = new LineIndex();
    index.lines = state.lines;
    index.endByte = state.endByte;
    index.spacingBytes = state.spacingBytes;
    index.entryLines = [...state.entryLines];
    index.entryBytes = [...state.entryBytes];
    return index;
  }

  get state(): LineIndexState {
    const { lines, endByte, spacingBytes, entryLines, entryBytes } = this;
    return { lines, endByte, spacingBytes, entryLines, entryBytes };
  }

  /**
   * Takes the next whole lines: the first `length` bytes of `buffer`, which lie at `endByte` in the file and end with a
   * newline.
   * @throws ConfigError a line is longer than `maxLineBytes`, its newline included
   */
  extend(buffer: Buffer, length: number, maxLineBytes: number): void {
    const base = this.endByte;
    let lines = this.lines;
    let start = 0;
    let nextEntry = this.nextEntryByte() - base;
    for (let newline = buffer.indexOf(NEWLINE); newline !== -1 && newline < length; ) {
      const end = newline + 1;
      if (end - start > maxLineBytes) throw lineTooLong(`line ${lines} (counted from 0)`, maxLineBytes);
      start = end;
      lines++;
      if (end >= nextEntry) {
        this.addEntry(lines, base + end);
        nextEntry = this.nextEntryByte() - base;
      }
      newline = buffer.indexOf(NEWLINE, end);
    }
    this.lines = lines;
    this.endByte = base + start;
  }

  /** The last known line start at or before `line` (≥ 0). */
  startAtOrBefore(line: number): LineStart {
    if (line === this.lines) return { line, byte: this.endByte };
    return this.entry(countAtMost(this.entryLines, line) - 1);
  }

  /** The byte of the first known line start at or after `line` (≤ `lines`). */
  byteAtOrAfter(line: number): number {
    if (line === 0) return 0;
    return this.entryBytes[countAtMost(this.entryLines, line - 1)] ?? this.endByte;
  }

  /** How many entries there are; `entry` takes −1 (the file's start) to this number, exclusive. */
  get entryCount(): number {
    return this.entryLines.length;
  }

  entry(number: number): LineStart {
    return { line: this.entryLines[number] ?? 0, byte: this.entryBytes[number] ?? 0 };
  }

  private nextEntryByte(): number {
    return (this.entryBytes.at(-1) ?? 0) + this.spacingBytes;
  }

  private addEntry(line: number, byte: number): void {
    this.entryLines.push(line);
    this.entryBytes.push(byte);
    if (this.entryLines.length <= MAX_ENTRIES) return;
    this.entryLines = this.entryLines.filter((_, number) => number % 2 === 1);
    this.entryBytes = this.entryBytes.filter((_, number) => number % 2 === 1);
    this.spacingBytes *= 2;
  }
}

/** The error for a line that is longer than the job allows; `which` says where it is. */
export function lineTooLong(which: string, maxLineBytes: number): ConfigError {
  return new ConfigError(`${which} is longer than ${maxLineBytes} bytes`, {
    hint: "if such a line is meant, raise maxLineBytes in fileSource({ … }); otherwise its newline is missing",
  });
}

/** How many of the rising numbers are ≤ `bound`. */
function countAtMost(rising: readonly number[], bound: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? Number.POSITIVE_INFINITY) <= bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
