// What the scheduler does with a sink, step by step, for tests: open it for an epoch, begin a batch, write rows,
// commit.
import type { Batch, BatchWrite, Sink, SinkWriter } from "../../runtime/index.ts";

const LINEAGE = "0123456789abcdef0123456789abcdef";
const LONG_ENOUGH_MS = 120_000;

/** Opens a sink as a run of the job "tests" does. */
export function openSink(sink: Sink<never>, epoch: bigint, lineageId = LINEAGE): Promise<SinkWriter> {
  const warn = () => undefined;
  const context = { jobName: "tests", baseDir: ".", warn, lineageId, epoch };
  return sink.open(context, AbortSignal.timeout(LONG_ENOUGH_MS));
}

/** A batch by its number, with a plan that is always the same. */
export function batchOf(batchId: number, changes: Partial<Batch> = {}): Batch {
  const ranges = [{ topic: "t", partition: 0, fromOffset: 0n, untilOffset: 1n }];
  const signal = AbortSignal.timeout(LONG_ENOUGH_MS);
  return { jobName: "tests", lineageId: LINEAGE, batchId, planHash: `plan-${batchId}`, ranges, signal, ...changes };
}

/** Begins a batch that must not have been written before. */
export async function begin(writer: SinkWriter, batch: Batch): Promise<BatchWrite> {
  const begun = await writer.begin(batch);
  if (begun === "already-written") throw new Error(`batch ${batch.batchId} was already written`);
  return begun;
}

/** Encodes rows and hands them over, as one chunk. */
export async function add<Row>(sink: Sink<Row>, write: BatchWrite, rows: readonly Row[]): Promise<void> {
  const encoder = sink.encoder();
  for (const row of rows) encoder.add(row);
  const encoded = encoder.take();
  if (encoded !== undefined) await write.write(encoded);
}

/** Writes and commits one batch, unless the sink has it. @returns whether it was written now */
export async function writeBatch<Row>(
  sink: Sink<Row>,
  writer: SinkWriter,
  batch: Batch,
  rows: readonly Row[],
): Promise<boolean> {
  const begun = await writer.begin(batch);
  if (begun === "already-written") return false;
  await using write = begun;
  await add(sink, write, rows);
  await write.commit();
  return true;
}
