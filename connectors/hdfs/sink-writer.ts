// The open HDFS sink. A batch is gathered in memory and written in parts to a temporary file, which becomes visible by
// one rename. Before a batch begins, finished files are joined if there are many. A writer that was shut out finds its
// staging folder gone, and nothing of it ever becomes visible.
import {
  type Batch,
  type BatchWrite,
  CheckpointCorruptError,
  type EncodedRows,
  type SinkWriter,
} from "../../runtime/index.ts";
import type { FileFormat, FileLayout } from "../formats/file-format.ts";
import { batchFileName } from "./batch-file.ts";
import type { Catalogue } from "./catalogue.ts";
import { compact } from "./compaction.ts";
import { compress, type HdfsCompression } from "./compress.ts";
import { type Output, publish, temporaryPath } from "./output.ts";

/** Rows of a batch that are held in memory. */
const PART_BYTES = 8 * 1024 * 1024;

/** What an open sink works with. */
export interface OpenHdfsSink {
  readonly output: Output;
  readonly format: Pick<FileFormat<never>, "layout">;
  readonly compression: HdfsCompression | undefined;
  /** undefined: files are not joined. */
  readonly compactAfterFiles: number | undefined;
  /** The batches that are there: the hash of the plan, by batchId. */
  readonly written: Map<number, string>;
  readonly catalogue: Catalogue;
  /** Files of single batches that are there. */
  readonly singles: number;
}

/** The open sink; at most one batch at a time. */
export class HdfsSinkWriter implements SinkWriter {
  readonly #sink: OpenHdfsSink;
  #catalogue: Catalogue;
  #singles: number;
  #compactAfterFiles: number;
  /** The newest batch of this writer itself. */
  #newest: number | undefined;

  constructor(sink: OpenHdfsSink) {
    this.#sink = sink;
    this.#catalogue = sink.catalogue;
    this.#singles = sink.singles;
    this.#compactAfterFiles = sink.compactAfterFiles ?? Number.POSITIVE_INFINITY;
  }

  async begin(batch: Batch): Promise<BatchWrite | "already-written"> {
    batch.signal.throwIfAborted();
    if (!batch.isUnplanned && this.#isWritten(batch)) return "already-written";
    if (this.#singles >= this.#compactAfterFiles) await this.#compact(batch.signal);
    return new HdfsBatchWrite(this.#sink, batch, () => this.#remember(batch));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { fileSystem, staging } = this.#sink.output;
    // What stays there is removed by the next opening: failing here must not hide the error that led here.
    await fileSystem.remove(staging, new AbortController().signal).catch(() => undefined);
    await fileSystem[Symbol.asyncDispose]();
  }

  /** @throws CheckpointCorruptError it was written under another plan, or nobody knows */
  #isWritten(batch: Batch): boolean {
    const { output, written } = this.#sink;
    const planHash = written.get(batch.batchId);
    if (planHash === batch.planHash) return true;
    const hint = "was an old copy of the checkpoint put back? use the newest, or another folder for the output";
    if (planHash !== undefined) {
      throw new CheckpointCorruptError(
        `${output.dir} already holds batch ${batch.batchId} of this checkpoint, written from other ranges ` +
          `(plan ${planHash}, not ${batch.planHash})`,
        { hint },
      );
    }
    if (batch.batchId < this.#catalogue.forgottenBelow) {
      throw new CheckpointCorruptError(
        `${output.dir} may hold batch ${batch.batchId} of this checkpoint: it is older than what is remembered there`,
        { hint },
      );
    }
    return false;
  }

  async #compact(signal: AbortSignal): Promise<void> {
    const { output } = this.#sink;
    const { catalogue, singles, refused } = await compact(output, this.#catalogue, this.#compactAfterFiles, signal);
    this.#catalogue = catalogue;
    this.#singles = singles;
    if (refused === undefined) return;
    this.#compactAfterFiles = Number.POSITIVE_INFINITY;
    output.warn(`HDFS does not join the files in ${output.dir}, so that they stay small ones: ${refused}`);
  }

  /** Batches come in ascending order: of a writer's own, only the newest can be asked for again. */
  #remember({ batchId, planHash, isUnplanned }: Batch): void {
    const { written } = this.#sink;
    this.#singles++;
    if (isUnplanned) return;
    if (this.#newest !== undefined) written.delete(this.#newest);
    written.set(batchId, planHash);
    this.#newest = batchId;
  }
}

class HdfsBatchWrite implements BatchWrite {
  readonly #sink: OpenHdfsSink;
  readonly #batch: Batch;
  readonly #committed: () => void;
  readonly #layout: FileLayout;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  /** Begun with the first part: a batch without rows leaves no file. */
  #temporary: string | undefined;
  #writtenBytes = 0;

  constructor(sink: OpenHdfsSink, batch: Batch, committed: () => void) {
    this.#sink = sink;
    this.#batch = batch;
    this.#committed = committed;
    this.#layout = sink.format.layout();
  }

  async write(rows: EncodedRows): Promise<void> {
    this.#batch.signal.throwIfAborted();
    for (const bytes of this.#layout.bytesOf(rows)) {
      this.#gathered.push(bytes);
      this.#gatheredBytes += bytes.byteLength;
    }
    if (this.#gatheredBytes >= PART_BYTES) await this.#writePart();
  }

  async commit(): Promise<void> {
    const { output } = this.#sink;
    const { signal } = this.#batch;
    signal.throwIfAborted();
    await this.#writePart();
    if (this.#temporary === undefined) return;
    await publish(output, { temporary: this.#temporary, name: batchFileName(this.#batch, output.extension), signal });
    this.#temporary = undefined;
    this.#committed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#temporary === undefined) return;
    await this.#sink.output.fileSystem.remove(this.#temporary, new AbortController().signal).catch(() => undefined);
  }

  async #writePart(): Promise<void> {
    if (this.#gatheredBytes === 0) return;
    const { output, compression } = this.#sink;
    const { signal } = this.#batch;
    const part = await compress(Buffer.concat(this.#gathered), compression);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (this.#temporary === undefined) {
      this.#temporary = temporaryPath(output);
      await output.fileSystem.create(this.#temporary, part, { signal });
    } else {
      await output.fileSystem.append(this.#temporary, part, this.#writtenBytes, signal);
    }
    this.#writtenBytes += part.byteLength;
  }
}
