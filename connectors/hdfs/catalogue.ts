// Which batches are in files that were joined, whose names do not say it: `_batches-<job>-<lineage>`, a JSON text. It
// is replaced as a whole, before anything is joined, and holds what is to be joined next as well: who finds that
// undone does it (see compaction.ts). It remembers the newest batches; of older ones only that they are older.
import { CheckpointCorruptError } from "../../runtime/index.ts";
import { parseBatchFileName } from "./batch-file.ts";
import { type Output, publish, temporaryPath } from "./output.ts";

/** Batches that are remembered one by one. */
const REMEMBERED_MAX = 10_000;
const FILE_MAX_BYTES = 64 * 1024 * 1024;
const FORMAT = 1;

/** Files that are to become one. */
export interface Joining {
  /** The first of them, which the others are put at the end of. */
  readonly target: string;
  /** The others, in order. */
  readonly sources: readonly string[];
  /** The name that the target is given then. */
  readonly result: string;
  /** All their bytes. */
  readonly length: number;
}

/** What is known of joined files. */
export interface Catalogue {
  /** Batches below it may be in joined files without being remembered. */
  readonly forgottenBelow: number;
  /** The plan's hash by batchId, ascending. */
  readonly batches: ReadonlyMap<number, string>;
  readonly joining: Joining | undefined;
}

/** The catalogue that begins with a sink. */
const emptyCatalogue: Catalogue = { forgottenBelow: 0, batches: new Map(), joining: undefined };

/**
 * The catalogue with the batches of some more files, and what is to be joined next. Pure.
 * `names`: of all files that are to be joined.
 */
export function catalogued(before: Catalogue, names: readonly string[], joining: Joining): Catalogue {
  const batches = new Map(before.batches);
  for (const name of names) {
    const { first, planHash } = parseBatchFileName(name) ?? {};
    if (first !== undefined && planHash !== undefined) batches.set(first, planHash);
  }
  const newest = [...batches].sort(([a], [b]) => a - b).slice(-REMEMBERED_MAX);
  const forgottenBelow = batches.size > REMEMBERED_MAX ? (newest[0]?.[0] ?? 0) : before.forgottenBelow;
  return { forgottenBelow, batches: new Map(newest), joining };
}

/**
 * Reads the catalogue of a job's lineage.
 * @throws CheckpointCorruptError it cannot be understood
 */
export async function readCatalogue(output: Output, signal: AbortSignal): Promise<Catalogue> {
  const path = `${output.dir}/${nameOf(output)}`;
  const text = await output.fileSystem.read(path, { maxBytes: FILE_MAX_BYTES, signal });
  if (text === undefined) return emptyCatalogue;
  const found = fromJson(text.toString("utf8"));
  if (found !== undefined) return found;
  throw new CheckpointCorruptError(`${path} is damaged, or a newer tidemark's`, {
    hint: "it says which batches are in files that were joined: put it back from a snapshot, or use another folder",
  });
}

/**
 * Replaces the catalogue, unless a newer writer has shut this one out.
 * @throws TransientError it has
 * @throws OutcomeUnknownError the reply was lost
 */
export async function writeCatalogue(output: Output, catalogue: Catalogue, signal: AbortSignal): Promise<void> {
  const temporary = temporaryPath(output);
  await output.fileSystem.create(temporary, Buffer.from(toJson(catalogue)), { signal });
  await publish(output, { temporary, name: nameOf(output), replaces: true, signal });
}

function nameOf({ jobName, lineage }: Output): string {
  return `_batches-${jobName}-${lineage}`;
}

function toJson({ forgottenBelow, batches, joining }: Catalogue): string {
  return `${JSON.stringify({ format: FORMAT, forgottenBelow, batches: [...batches], joining: joining ?? null })}\n`;
}

function fromJson(text: string): Catalogue | undefined {
  try {
    const { format, forgottenBelow, batches, joining } = JSON.parse(text);
    if (format !== FORMAT || !Number.isSafeInteger(forgottenBelow) || !Array.isArray(batches)) return undefined;
    const isPair = (item: unknown) =>
      Array.isArray(item) && Number.isSafeInteger(item[0]) && typeof item[1] === "string" && item.length === 2;
    if (!batches.every(isPair) || !(joining === null || isJoining(joining))) return undefined;
    return { forgottenBelow, batches: new Map(batches), joining: joining ?? undefined };
  } catch {
    return undefined;
  }
}

/** Names only: what is written there must not reach beyond the sink's own files. */
function isJoining(json: Record<keyof Joining, unknown>): boolean {
  const isName = (name: unknown) => typeof name === "string" && parseBatchFileName(name) !== undefined;
  const { target, sources, result, length } = json;
  if (!Array.isArray(sources) || !Number.isSafeInteger(length)) return false;
  return [target, result, ...sources].every((name) => isName(name) && !String(name).includes("/"));
}
