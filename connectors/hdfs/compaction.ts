// Joins finished files, so that many small batches leave few files: in one step of HDFS (CONCAT), which moves no bytes.
// Order: the catalogue with all batches and with what is going to be joined, the joining, the new name. Whoever opens
// the sink finishes first what the catalogue says is under way, so that two writers, one of them shut out, only ever
// join the very same files, and one of them finds that it is done. Only small files are joined, twice at most: a file
// has at most the square of `compactAfterFiles` batches.
import { type BatchFile, joinedFileName, parseBatchFileName } from "./batch-file.ts";
import { type Catalogue, catalogued, type Joining, writeCatalogue } from "./catalogue.ts";
import type { Output } from "./output.ts";

/** A larger file is no small one. */
const SMALL_BYTES = 32 * 1024 * 1024;
const LEVELS = 2;
const ROUNDS_MAX = 20;

/** A file of the sink's folder with its size in bytes. */
export interface SizedFile extends BatchFile {
  readonly length: number;
}

/**
 * What to join next: the oldest small files that follow one another and were joined as often, once there are
 * `afterFiles` of them; undefined: nothing. Pure. `files`: one lineage's, in order.
 */
export function chooseJoining(files: readonly SizedFile[], afterFiles: number): Joining | undefined {
  for (let level = 0; level < LEVELS; level++) {
    let run: SizedFile[] = [];
    for (const file of files) {
      run = file.level === level && file.length < SMALL_BYTES ? [...run, file] : [];
      if (run.length === afterFiles) return joiningOf(run);
    }
  }
  return undefined;
}

function joiningOf(files: readonly SizedFile[]): Joining {
  const [target = "", ...sources] = files.map(({ name }) => name);
  const length = files.reduce((sum, file) => sum + file.length, 0);
  return { target, sources, result: joinedFileName(files), length };
}

/** The sink's files of this lineage that end alike, in order of their batches. */
async function listFiles(output: Output, signal: AbortSignal): Promise<readonly SizedFile[]> {
  const { fileSystem, dir, lineage, extension } = output;
  const there = (await fileSystem.list(dir, signal)) ?? [];
  return there
    .flatMap(({ name, length }) => {
      const file = parseBatchFileName(name);
      return file?.lineage === lineage && file.extension === extension ? [{ ...file, length }] : [];
    })
    .sort((a, b) => a.first - b.first || (a.name < b.name ? -1 : 1));
}

/** What compacting came to. */
export interface Compacted {
  readonly catalogue: Catalogue;
  /** Files of single batches that are left. */
  readonly singles: number;
  /** Why HDFS does not join these files; undefined: it does. */
  readonly refused: string | undefined;
}

/**
 * Joins until there is nothing to join.
 * @throws TransientError a newer writer has shut this one out, or HDFS cannot be reached
 * @throws OutcomeUnknownError the reply was lost; opening the sink anew settles it
 */
export async function compact(
  output: Output,
  before: Catalogue,
  afterFiles: number,
  signal: AbortSignal,
): Promise<Compacted> {
  let catalogue = before;
  for (let round = 1; ; round++) {
    const files = await listFiles(output, signal);
    const singles = files.filter(({ level }) => level === 0).length;
    const joining = chooseJoining(files, afterFiles);
    // Bounded: where files vanish while they are looked at, the next batch goes on.
    if (joining === undefined || round > ROUNDS_MAX) return { catalogue, singles, refused: undefined };
    catalogue = catalogued(catalogue, [joining.target, ...joining.sources], joining);
    await writeCatalogue(output, catalogue, signal);
    const refused = await finishJoining(output, joining, signal);
    if (refused !== undefined) return { catalogue, singles, refused };
  }
}

/**
 * Does what is left to do of a joining; idempotent. What its files are missing from (somebody has removed them) is
 * left as it is. Gives the reason if HDFS does not join them.
 */
export async function finishJoining(
  { fileSystem, dir }: Output,
  { target, sources, result, length }: Joining,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [from, to] = [`${dir}/${target}`, `${dir}/${result}`];
  // Twice: between a look and a step, a writer that was shut out may do the same.
  for (let look = 0; look < 2; look++) {
    if ((await fileSystem.status(to, signal)) !== undefined) return undefined;
    const there = await fileSystem.status(from, signal);
    if (there === undefined) return undefined;
    if (there.length !== length) {
      const joined = await fileSystem.join(
        from,
        sources.map((name) => `${dir}/${name}`),
        signal,
      );
      if (joined.is === "refused") return joined.why;
      if (joined.is === "missing") continue;
    }
    await fileSystem.move(from, to, signal);
    return undefined;
  }
  return undefined;
}
