// What becomes of poison records: read once more, undecoded, and written to the dead letter sink as part of their
// batch.
import type { DeadLetter } from "../contract/job.ts";
import type { RawRecord } from "../contract/record.ts";
import type { Batch, Sink, SinkWriter } from "../contract/sink.ts";
import type { SourceReader } from "../contract/source.ts";
import type { PoisonRecord } from "../plan/plan.ts";

export interface DeadLetterInput {
  readonly sink: Sink<DeadLetter>;
  readonly writer: SinkWriter;
  readonly reader: Pick<SourceReader, "readRaw">;
  readonly batch: Batch;
  readonly poison: readonly PoisonRecord[];
}

/** Writes and commits the dead letters of one batch; does nothing when the sink has them already. */
export async function writeDeadLetters({ sink, writer, reader, batch, poison }: DeadLetterInput): Promise<void> {
  const begun = await writer.begin(batch);
  if (begun === "already-written") return;
  await using write = begun;
  const encoder = sink.encoder();
  for (const record of poison) {
    encoder.add(deadLetterOf(batch, record, await reader.readRaw(record, batch.signal)));
  }
  const rows = encoder.take();
  if (rows !== undefined) await write.write(rows);
  await write.commit();
}

function deadLetterOf(batch: Batch, poison: PoisonRecord, raw: RawRecord | undefined): DeadLetter {
  const isText = isUtf8(raw?.key) && isUtf8(raw?.value);
  const encoding = isText ? "utf8" : "base64";
  const written = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes).toString(encoding) : null);
  const { topic, partition, offset, phase, error } = poison;
  const { jobName, batchId } = batch;
  const content = { key: written(raw?.key), value: written(raw?.value), encoding } as const;
  return {
    jobName,
    batchId,
    topic,
    partition,
    offset: String(offset),
    timestamp: raw?.timestamp ?? -1,
    phase,
    error,
    ...content,
  };
}

function isUtf8(bytes: Uint8Array | null | undefined): boolean {
  if (!bytes) return true;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
