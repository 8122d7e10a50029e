// The open file sink. A batch is written to the staging folder and becomes visible by one rename: sync the file, rename
// it, sync the folder, in this order. A writer that was shut out finds its paths gone, and nothing of it ever becomes
// visible.
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type Batch,
  type BatchWrite,
  CheckpointCorruptError,
  type EncodedRows,
  messageOf,
  OutcomeUnknownError,
  type SinkWriter,
} from "../../runtime/index.ts";
import type { FileFormat, FileLayout } from "../formats/file-format.ts";
import { batchFileName } from "./batch-file.ts";
import { asTransient, hasErrno } from "./errno.ts";
import { shutOut } from "./staging.ts";

/** What an open file sink works with. */
export interface OpenOutput {
  readonly dir: string;
  /** The folder itself, open, to make renames durable. */
  readonly dirHandle: FileHandle;
  readonly staging: string;
  readonly jobName: string;
  readonly format: Pick<FileFormat<never>, "extension" | "layout">;
  /** The batches that are there: the hash of the plan, by batchId. */
  readonly written: Map<number, string>;
}

/** The open sink; at most one batch at a time. */
export class FileWriter implements SinkWriter {
  private readonly output: OpenOutput;
  /** The newest batch of this writer itself. */
  private newest: number | undefined;

  constructor(output: OpenOutput) {
    this.output = output;
  }

  async begin(batch: Batch): Promise<BatchWrite | "already-written"> {
    batch.signal.throwIfAborted();
    const { dir, written } = this.output;
    if (batch.isUnplanned) return new FileBatchWrite(this.output, batch, () => undefined);
    const planHash = written.get(batch.batchId);
    if (planHash === undefined) return new FileBatchWrite(this.output, batch, () => this.remember(batch));
    if (planHash === batch.planHash) return "already-written";
    throw new CheckpointCorruptError(
      `${dir} already holds batch ${batch.batchId} of this checkpoint, written from other ranges ` +
        `(plan ${planHash}, not ${batch.planHash})`,
      { hint: "was an old copy of the checkpoint put back? use the newest, or another folder for the output" },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.output.dirHandle.close();
    await removeIfPossible(this.output.staging);
  }

  /** Batches come in ascending order: of a writer's own, only the newest can be asked for again. */
  private remember({ batchId, planHash }: Batch): void {
    const { written } = this.output;
    if (this.newest !== undefined) written.delete(this.newest);
    written.set(batchId, planHash);
    this.newest = batchId;
  }
}

class FileBatchWrite implements BatchWrite {
  private readonly output: OpenOutput;
  private readonly batch: Batch;
  private readonly committed: () => void;
  private readonly name: string;
  private readonly layout: FileLayout;
  /** Opened with the first rows: a batch without rows leaves no file. */
  private handle: FileHandle | undefined;
  /** Given up or over: a file that is still being opened is closed and removed. */
  private isDisposed = false;

  constructor(output: OpenOutput, batch: Batch, committed: () => void) {
    this.output = output;
    this.batch = batch;
    this.committed = committed;
    this.name = batchFileName(batch, output.format.extension);
    this.layout = output.format.layout();
  }

  async write(rows: EncodedRows): Promise<void> {
    this.batch.signal.throwIfAborted();
    const parts = this.layout.bytesOf(rows);
    try {
      this.handle ??= await open(this.stagingPath, "w", 0o644);
      if (!this.isDisposed) for (const part of parts) await this.handle.appendFile(part);
    } catch (error) {
      throw this.explain("cannot write", error);
    }
    if (!this.isDisposed) return;
    // Nobody disposes of it again who gave the batch up while the file was being opened.
    await this[Symbol.asyncDispose]();
    throw new Error(`batch ${this.batch.batchId} was given up`);
  }

  async commit(): Promise<void> {
    const { handle } = this;
    const { dir, dirHandle } = this.output;
    if (handle === undefined) return;
    this.batch.signal.throwIfAborted();
    try {
      await handle.sync();
      await rename(this.stagingPath, join(dir, this.name));
    } catch (error) {
      throw this.explain("cannot finish", error);
    }
    try {
      await dirHandle.sync();
    } catch (cause) {
      throw new OutcomeUnknownError(`cannot make ${this.name} in ${dir} durable: ${messageOf(cause)}`, { cause });
    }
    this.committed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    if (this.handle === undefined) return;
    await this.handle.close();
    // After the rename there is nothing of this name.
    await removeIfPossible(this.stagingPath);
  }

  private get stagingPath(): string {
    return join(this.output.staging, this.name);
  }

  private explain(doing: string, error: unknown): unknown {
    const { dir, jobName } = this.output;
    if (hasErrno(error, "ENOENT")) return shutOut(dir, jobName, error);
    return asTransient(`${doing} ${this.name} in ${dir}`, error);
  }
}

/**
 * What stays in a staging folder is removed by the next opening: failing here must not hide the error that led here.
 */
async function removeIfPossible(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}
