// Keeps the index of a file beside it, in `.tidemark-index`, so that the next run need not count its lines again. A
// saved index is a hint from an untrusted place: it counts only if its shape is right and it fits the file as it is
// now. Failing to save or load costs time, never correctness.
import { type FileHandle, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";
import { LineIndex, type LineIndexState } from "./line-index.ts";
import { hashBefore, hashBetween, readBytes } from "./read-bytes.ts";

const FORMAT_VERSION = 1;
const MAX_SAVED_BYTES = 8 * 1024 * 1024;
const HEAD_BYTES = 4096;
const SAMPLES = 8;
const NEWLINE = 0x0a;

/** What the indexed part of a file looks like: enough to tell an append from a replacement. */
export interface Fingerprint {
  readonly endByte: number;
  readonly head: string;
  readonly tail: string;
}

/**
 * Takes the fingerprint of the first `endByte` bytes of a file.
 * @param earlier one of the same file, known to fit: spares reading the head again
 */
export async function takeFingerprint(
  handle: FileHandle,
  endByte: number,
  earlier?: Fingerprint,
): Promise<Fingerprint> {
  const knowsHead = earlier !== undefined && earlier.endByte >= HEAD_BYTES;
  const head = knowsHead ? earlier.head : await hashBetween(handle, 0, Math.min(HEAD_BYTES, endByte));
  return { endByte, head, tail: await hashBefore(handle, endByte) };
}

/** Whether a file still begins with what the fingerprint was taken of. */
export async function stillFits(handle: FileHandle, sizeBytes: number, fingerprint: Fingerprint): Promise<boolean> {
  if (sizeBytes < fingerprint.endByte) return false;
  const now = await takeFingerprint(handle, fingerprint.endByte);
  return now.head === fingerprint.head && now.tail === fingerprint.tail;
}

/** Loads the saved index of an open file; undefined when there is none, or it is damaged, or another file's. */
export async function loadIndex(
  savedPath: string,
  handle: FileHandle,
  sizeBytes: number,
): Promise<{ readonly index: LineIndex; readonly fingerprint: Fingerprint } | undefined> {
  try {
    if ((await stat(savedPath)).size > MAX_SAVED_BYTES) return undefined;
    const saved = parseSaved(await readFile(savedPath, "utf8"));
    if (saved === undefined || !(await stillFits(handle, sizeBytes, saved.fingerprint))) return undefined;
    const index = LineIndex.restore(saved.state);
    return (await entriesFit(handle, index)) ? { index, fingerprint: saved.fingerprint } : undefined;
  } catch {
    return undefined;
  }
}

/** Saves an index, if it can. */
export async function saveIndex(savedPath: string, index: LineIndex, fingerprint: Fingerprint): Promise<void> {
  // Threads of one job may save it at the same time.
  const temporary = `${savedPath}.${process.pid}-${threadId}.tmp`;
  const { entryLines, entryBytes, ...rest } = index.state;
  const saved = {
    version: FORMAT_VERSION,
    ...rest,
    head: fingerprint.head,
    tail: fingerprint.tail,
    lineSteps: differences(entryLines),
    byteSteps: differences(entryBytes),
  };
  try {
    await mkdir(dirname(savedPath), { mode: 0o700, recursive: true });
    await writeFile(temporary, JSON.stringify(saved), { mode: 0o600 });
    await rename(temporary, savedPath);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

function parseSaved(text: string): { state: LineIndexState; fingerprint: Fingerprint } | undefined {
  const saved: unknown = JSON.parse(text);
  if (typeof saved !== "object" || saved === null) return undefined;
  const { version, lines, endByte, spacingBytes, head, tail, lineSteps, byteSteps } = saved as Record<string, unknown>;
  if (version !== FORMAT_VERSION || typeof head !== "string" || typeof tail !== "string") return undefined;
  if (!isCount(lines) || !isCount(endByte) || !isCount(spacingBytes) || spacingBytes === 0) return undefined;
  const entryLines = sums(lineSteps);
  const entryBytes = sums(byteSteps);
  if (entryLines === undefined || entryBytes === undefined || entryLines.length !== entryBytes.length) return undefined;
  if ((entryLines.at(-1) ?? 0) > lines || (entryBytes.at(-1) ?? 0) > endByte) return undefined;
  return { state: { lines, endByte, spacingBytes, entryLines, entryBytes }, fingerprint: { endByte, head, tail } };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function differences(rising: readonly number[]): number[] {
  return rising.map((value, at) => value - (rising[at - 1] ?? 0));
}

/** The numbers whose differences these are; undefined unless each is a whole number above 0. */
function sums(steps: unknown): number[] | undefined {
  if (!Array.isArray(steps)) return undefined;
  let sum = 0;
  const rising: number[] = [];
  for (const step of steps) {
    if (!isCount(step) || step === 0) return undefined;
    sum += step;
    rising.push(sum);
  }
  return rising;
}

/** Looks at a few entries: each must lie just after a newline. */
async function entriesFit(handle: FileHandle, index: LineIndex): Promise<boolean> {
  const before = Buffer.alloc(1);
  for (let sample = 0; sample < Math.min(SAMPLES, index.entryCount); sample++) {
    const { byte } = index.entry(Math.floor((sample * index.entryCount) / SAMPLES));
    const read = await readBytes(handle, before, 1, byte - 1);
    if (read !== 1 || before[0] !== NEWLINE) return false;
  }
  return true;
}
