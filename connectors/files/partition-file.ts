// One partition: a file that grows at its end. Knows how many complete lines there are and where each begins, and
// notices when the file is no longer the one it knew: then it counts anew. Looking again at a file that did not change
// is one stat.
import type { Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { type LineBlock, readLineBlocks } from "./line-blocks.ts";
import { LineIndex, type LineStart } from "./line-index.ts";
import { formatMark, makeMark } from "./log-mark.ts";
import { type Fingerprint, loadIndex, saveIndex, stillFits, takeFingerprint } from "./saved-index.ts";

const NEWLINE = 0x0a;
/** Below this, counting again is as quick as loading an index. */
const MIN_SAVED_BYTES = 1024 * 1024;
const SAVE_EVERY_BYTES = 512 * 1024 * 1024;

export interface PartitionFileOptions {
  readonly path: string;
  /** Where the index is kept between runs. */
  readonly indexPath: string;
  readonly maxLineBytes: number;
}

/** A partition's file, whether it is there or not. */
export class PartitionFile {
  readonly path: string;
  private readonly options: PartitionFileOptions;
  private index: LineIndex | undefined;
  private fingerprint: Fingerprint | undefined;
  private seen: Stats | undefined;
  private savedBytes = 0;
  /** The end of the last range that was read: the next one most often begins there. */
  private lastEnd: LineStart = { line: 0, byte: 0 };
  private lastMark: { readonly line: number; readonly mark: string } | undefined;
  private turn: Promise<void> = Promise.resolve();

  constructor(options: PartitionFileOptions) {
    this.path = options.path;
    this.options = options;
  }

  /** Complete lines, as of the last `refresh`. */
  get lines(): number {
    return this.index?.lines ?? 0;
  }

  /** The index as of the last `refresh`. */
  get lineIndex(): LineIndex {
    return this.index ?? new LineIndex();
  }

  /**
   * Looks at the file again and counts what was added since.
   * @throws the system's error when it cannot be read (ENOENT: it is gone)
   */
  refresh(signal: AbortSignal): Promise<void> {
    const refreshed = this.turn.then(() => this.update(signal));
    this.turn = refreshed.catch(() => undefined);
    return refreshed;
  }

  open(): Promise<FileHandle> {
    return open(this.path, "r");
  }

  /**
   * Finds the byte at which line `line` begins (0 to `lines`, both inclusive), reading at most one step of the index.
   */
  async locate(handle: FileHandle, line: number, signal: AbortSignal): Promise<number> {
    if (this.lastEnd.line === line) return this.lastEnd.byte;
    const known = this.lineIndex.startAtOrBefore(line);
    if (known.line === line) return known.byte;
    let at = known.line;
    for await (const block of this.blocks(handle, known.byte, this.lineIndex.byteAtOrAfter(line), signal)) {
      for (let end = block.buffer.indexOf(NEWLINE) + 1; ; end = block.buffer.indexOf(NEWLINE, end) + 1) {
        at++;
        if (at === line) return block.position + end;
        if (end === block.length) break;
      }
    }
    throw new Error(`line ${line} of ${this.path} is not where the index says`);
  }

  /** The mark of line `line`; free of I/O at the end of the file and where it was asked for last, as it mostly is. */
  async mark(line: number, signal: AbortSignal): Promise<string> {
    if (this.lastMark?.line === line) return this.lastMark.mark;
    const { index, fingerprint } = this;
    if (fingerprint !== undefined && index?.lines === line && index.endByte === fingerprint.endByte) {
      return formatMark(fingerprint.endByte, fingerprint.tail);
    }
    await using handle = await this.open();
    const mark = await makeMark(handle, await this.locate(handle, line, signal));
    this.lastMark = { line, mark };
    return mark;
  }

  /** Remembers where a range ended, so that the next one need not look for its start. */
  remember(end: LineStart): void {
    this.lastEnd = end;
  }

  /** The whole lines between two line starts. */
  blocks(handle: FileHandle, fromByte: number, untilByte: number, signal: AbortSignal): AsyncGenerator<LineBlock> {
    return readLineBlocks(handle, { fromByte, untilByte, maxLineBytes: this.options.maxLineBytes, signal });
  }

  /** Keeps the index for the next run, if it is worth it. Never fails. */
  async save(): Promise<void> {
    const { index, fingerprint } = this;
    if (index === undefined || fingerprint === undefined) return;
    if (index.endByte < MIN_SAVED_BYTES || index.endByte === this.savedBytes) return;
    this.savedBytes = index.endByte;
    await saveIndex(this.options.indexPath, index, fingerprint);
  }

  private async update(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.seen !== undefined && looksTheSame(this.seen, await stat(this.path))) return;
    await using handle = await this.open();
    const now = await handle.stat();
    if (this.index === undefined) await this.load(handle, now.size);
    else if (this.fingerprint === undefined || !(await stillFits(handle, now.size, this.fingerprint))) this.forget();
    await this.count(handle, now.size, signal);
    this.seen = now;
  }

  private async load(handle: FileHandle, sizeBytes: number): Promise<void> {
    const saved = await loadIndex(this.options.indexPath, handle, sizeBytes);
    this.index = saved?.index ?? new LineIndex();
    this.fingerprint = saved?.fingerprint;
    this.savedBytes = this.index.endByte;
  }

  private forget(): void {
    this.index = new LineIndex();
    this.fingerprint = undefined;
    this.lastEnd = { line: 0, byte: 0 };
    this.lastMark = undefined;
    this.savedBytes = 0;
  }

  private async count(handle: FileHandle, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const index = this.lineIndex;
    for await (const block of this.blocks(handle, index.endByte, sizeBytes, signal)) {
      index.extend(block.buffer, block.length, this.options.maxLineBytes);
      if (index.endByte - this.savedBytes < SAVE_EVERY_BYTES) continue;
      this.fingerprint = await takeFingerprint(handle, index.endByte);
      await this.save();
    }
    if (this.fingerprint?.endByte === index.endByte) return;
    this.fingerprint = await takeFingerprint(handle, index.endByte, this.fingerprint);
  }
}

function looksTheSame(before: Stats, now: Stats): boolean {
  return before.size === now.size && before.mtimeMs === now.mtimeMs && before.ino === now.ino && before.dev === now.dev;
}
