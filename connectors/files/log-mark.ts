// A mark is what a position remembers of its file: `<byte>:<hash of the 1 KiB before it>`. A file that was replaced,
// shortened or edited gives another one; one that only grew gives the same.
import type { FileHandle } from "node:fs/promises";
import { hashBefore } from "./read-bytes.ts";

const MARK = /^(\d{1,15}):([0-9a-f]{16})?$/;
/** Nothing has been read yet, so that any file will do. */
const START_MARK = "0:";

/** The mark of the place where a line begins. */
export async function makeMark(handle: FileHandle, byte: number): Promise<string> {
  return formatMark(byte, byte === 0 ? "" : await hashBefore(handle, byte));
}

/** The mark of a place, by the hash of what is before it. */
export function formatMark(byte: number, hash: string): string {
  return byte === 0 ? START_MARK : `${byte}:${hash}`;
}

/** Whether a mark was made before anything was read. */
export function isStartMark(mark: string): boolean {
  return mark === START_MARK;
}

/**
 * Compares a mark with the place where its line begins now.
 * @param byte where the line begins now
 * @returns what is wrong, in a few words; undefined when it fits
 */
export async function compareMark(handle: FileHandle, mark: string, byte: number): Promise<string | undefined> {
  const [, position, hash] = MARK.exec(mark) ?? [];
  if (position === undefined || hash === undefined) return "its mark is not one of the file source";
  if (Number(position) !== byte || (await hashBefore(handle, byte)) !== hash) return "the file was replaced or edited";
  return undefined;
}
