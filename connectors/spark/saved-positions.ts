// `sparkCheckpoint`: a Spark Structured Streaming checkpoint folder as a place that positions are imported from. In
// this order: it must be one without state; the names in `offsets` and `commits` tell where the query stopped; the one
// or two files that matter are read; and the names are looked at again, for a query that still runs moves on.
import {
  ConfigError,
  comparePartitions,
  type OffsetRange,
  type Position,
  partitionKey,
  type SavedPositions,
  type SavedPositionsPlace,
} from "../../runtime/index.ts";
import { batchNumbers, refused, type StoppingPlace, stoppingPlace } from "./batch-log.ts";
import { type CheckpointFolder, LocalFolder } from "./checkpoint-folder.ts";
import { checkCommitFile, parseInitialOffsets, parseOffsetFile, parseQueryId } from "./offset-file.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;

export interface SparkCheckpointOptions {
  /** The query's `checkpointLocation`: a folder of this machine, or one that a connector reads. */
  readonly folder: string | CheckpointFolder;
}

/**
 * The positions of a Spark Structured Streaming query that reads Kafka and keeps no state. Its batch numbers go on: the
 * job's first batch is the one that was in flight, or the next.
 */
export function sparkCheckpoint({ folder: given }: SparkCheckpointOptions): SavedPositionsPlace {
  const folder = typeof given === "string" ? new LocalFolder(given) : given;
  return { url: `spark:${folder.url}`, read: (signal) => read(folder, signal) };
}

async function read(folder: CheckpointFolder, signal: AbortSignal): Promise<SavedPositions> {
  const logs = await readLogs(folder, signal);
  const state = (await folder.list("state", signal)) ?? [];
  if (state.length > 0) {
    throw refused(
      "the query keeps state (it aggregates, joins or removes duplicates), which cannot be taken over",
      "start the job as a new one, where its result can be computed from the log",
    );
  }
  const place = stoppingPlace(logs.offsets, logs.commits);
  const last = logs.commits.at(-1);
  if (last !== undefined) checkCommitFile(await mustRead(folder, `commits/${last}`, signal), `commits/${last}`);
  const begins = await readBeginning(folder, place, signal);
  const { positions, inFlight, notes } = await readInFlight(folder, place, begins, signal);
  const metadata = await folder.read("metadata", MAX_FILE_BYTES, signal);
  const query = metadata === undefined ? [] : [`Spark's query ${parseQueryId(metadata)}`];
  const now = await readLogs(folder, signal);
  if (now.offsets.at(-1) !== logs.offsets.at(-1) || now.commits.at(-1) !== last) {
    throw refused("it changes while it is read", "stop the Spark query first");
  }
  return { positions, inFlight, nextBatchId: place.nextBatchId, notes: [...query, ...notes] };
}

async function readLogs(folder: CheckpointFolder, signal: AbortSignal) {
  const [offsets, commits] = [await folder.list("offsets", signal), await folder.list("commits", signal)];
  if (offsets === undefined) {
    const found = (await folder.list(".", signal)) === undefined ? "is not there" : "has no folder offsets in it";
    throw new ConfigError(`${folder.url} is no Spark checkpoint: it ${found}`, {
      hint: "give the folder that the query's checkpointLocation names",
    });
  }
  return { offsets: batchNumbers(offsets), commits: batchNumbers(commits ?? []) };
}

/** Where the next batch, or the one in flight, begins. */
async function readBeginning(
  folder: CheckpointFolder,
  { beginsAt }: StoppingPlace,
  signal: AbortSignal,
): Promise<Position[]> {
  if (beginsAt !== undefined) {
    const name = `offsets/${beginsAt}`;
    return parseOffsetFile(await mustRead(folder, name, signal), name);
  }
  return parseInitialOffsets(await mustRead(folder, "sources/0/0", signal), "sources/0/0");
}

async function readInFlight(
  folder: CheckpointFolder,
  { inFlight: batch }: StoppingPlace,
  begins: readonly Position[],
  signal: AbortSignal,
): Promise<Pick<SavedPositions, "positions" | "inFlight" | "notes">> {
  if (batch === undefined) return { positions: begins, inFlight: undefined, notes: [] };
  const name = `offsets/${batch}`;
  const ends = parseOffsetFile(await mustRead(folder, name, signal), name);
  const from = new Map(begins.map((position) => [partitionKey(position), position.offset]));
  const inFlight: OffsetRange[] = ends.map(({ topic, partition, offset }) => {
    // Spark reads a partition that is new from its first offset, which is 0 unless records were lost already.
    const fromOffset = from.get(partitionKey({ topic, partition })) ?? 0n;
    if (fromOffset <= offset) return { topic, partition, fromOffset, untilOffset: offset };
    throw refused(`${name}: ${topic}:${partition} ends at ${offset}, before its beginning at ${fromOffset}`);
  });
  const positions = inFlight.map(({ topic, partition, fromOffset }) => ({ topic, partition, offset: fromOffset }));
  const still = new Set(ends.map(partitionKey));
  const gone = begins.filter((position) => !still.has(partitionKey(position))).map((p) => `${p.topic}:${p.partition}`);
  const notes = [
    `batch ${batch} was in flight: it runs first, over the ranges that Spark planned`,
    `what Spark wrote of batch ${batch} already is written again`,
    ...(gone.length > 0 ? [`Spark did not read ${gone.join(", ")} any more`] : []),
  ];
  return { positions: positions.sort(comparePartitions), inFlight, notes };
}

async function mustRead(folder: CheckpointFolder, name: string, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await folder.read(name, MAX_FILE_BYTES, signal);
  if (bytes !== undefined) return bytes;
  throw refused(`${name} is missing`);
}
