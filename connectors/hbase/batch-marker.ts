// The sink's memory, one row for each lineage and table in a table of its own: the epoch that may write, the timestamp
// of the rows last written, and the newest batch with the timestamp that is its own for ever. A batch's timestamp is
// there before its first row is, so that every attempt of it, a late one of a frozen writer too, writes the same cells,
// and the batches after it win over them.
import { type Batch, CheckpointCorruptError, type SinkContext, TransientError } from "../../runtime/index.ts";
import { Stamps } from "./stamps.ts";
import type { HBaseCell, HBaseTable } from "./table.ts";

/** The one family of the table. */
export const MARKER_FAMILY = "b";
const CELLS = ["epoch", "stamp", "newest"];
const MARKERS_AT_ONCE = 1_000;

interface NewestBatch {
  readonly batchId: number;
  readonly planHash: string;
  readonly stampMs: number;
  /** false: it is being written. */
  readonly isWritten: boolean;
}

/** What is to be written: nothing, or rows with this timestamp if it has one already. */
export type Begun = "already-written" | { readonly stampMs: number | undefined };

/** One lineage's marker for one table, as one epoch sees it. */
export class BatchMarker {
  readonly #table: HBaseTable;
  readonly #target: string;
  readonly #context: SinkContext;
  readonly #row: string;
  readonly #stamps = new Stamps(0);

  /** @param table the markers' table; @param target where the rows go */
  constructor(table: HBaseTable, target: string, context: SinkContext) {
    this.#table = table;
    this.#target = target;
    this.#context = context;
    this.#row = `${context.lineageId}:${target}`;
  }

  /** Shuts out lower epochs. @throws TransientError there is a higher one */
  async raise(signal: AbortSignal): Promise<void> {
    const { epoch } = this.#context;
    await this.#passOtherLineages(signal);
    for (;;) {
      const { epoch: there } = await this.#read(signal);
      if (there !== undefined && BigInt(textOf(there)) > epoch) throw this.#shutOut();
      const cell = this.#cell("epoch", `${epoch}`);
      if (await this.#putIf(there?.value, [cell], signal)) return;
    }
  }

  /**
   * Whether this very batch has been written, and with which timestamp it was begun.
   * @throws CheckpointCorruptError its number is there under another plan, or a later one is
   * @throws TransientError a higher epoch has opened the table
   */
  async begin({ batchId, planHash, isUnplanned = false, signal }: Batch): Promise<Begun> {
    const { epoch, newest: cell } = await this.#read(signal);
    if (epoch === undefined || textOf(epoch) !== `${this.#context.epoch}`) throw this.#shutOut();
    const newest = cell && this.#newestIn(cell);
    if (isUnplanned || newest === undefined || newest.batchId < batchId) return { stampMs: undefined };
    if (newest.batchId === batchId && newest.planHash === planHash) {
      return newest.isWritten ? "already-written" : { stampMs: newest.stampMs };
    }
    const what = newest.batchId === batchId ? `under plan ${newest.planHash}, not ${planHash}` : "already";
    const asked = `batch ${batchId} is to be written`;
    throw new CheckpointCorruptError(
      `${this.#target} holds batch ${newest.batchId} of this job ${what}, and ${asked}`,
      {
        hint: "is the checkpoint an old copy? Put the newest back; or begin anew: an empty table, another job name",
      },
    );
  }

  /**
   * The timestamp of the batch's rows, which is durable before it is given.
   * @throws TransientError a higher epoch has opened the table
   */
  async stampFor(batch: Batch, begun: number | undefined): Promise<number> {
    const stampMs = begun ?? this.#stamps.next();
    const cells = [{ ...this.#cell("stamp", `${stampMs}`), stampMs }];
    if (batch.isUnplanned !== true) cells.push(this.#newestCell(batch, stampMs, false));
    await this.#put(cells, batch.signal);
    return stampMs;
  }

  /** The batch has been written. @throws TransientError a higher epoch has opened the table */
  async written(batch: Batch, stampMs: number): Promise<void> {
    if (batch.isUnplanned !== true) await this.#put([this.#newestCell(batch, stampMs, true)], batch.signal);
  }

  /** What others have written to the same table is older, also where their machines' clocks were ahead. */
  async #passOtherLineages(signal: AbortSignal): Promise<void> {
    for (let from = Buffer.alloc(0); ; ) {
      const range = { from, until: Buffer.alloc(0), limit: MARKERS_AT_ONCE, family: MARKER_FAMILY, qualifiers: CELLS };
      const rows = await this.#table.scan(range, signal);
      for (const { row, cells } of rows) {
        if (!Buffer.from(row).toString().endsWith(`:${this.#target}`)) continue;
        for (const { stampMs } of cells) this.#stamps.passed(stampMs);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < MARKERS_AT_ONCE) return;
      // The next key there can be.
      from = Buffer.concat([last.row, Buffer.of(0)]);
    }
  }

  async #read(signal: AbortSignal): Promise<{ epoch?: HBaseCell; newest?: HBaseCell }> {
    const cells = await this.#table.get(this.#row, MARKER_FAMILY, CELLS, signal);
    for (const { stampMs } of cells) this.#stamps.passed(stampMs);
    return Object.fromEntries(cells.map((cell) => [cell.qualifier, cell]));
  }

  async #put(cells: readonly HBaseCell[], signal: AbortSignal): Promise<void> {
    if (!(await this.#putIf(Buffer.from(`${this.#context.epoch}`), cells, signal))) throw this.#shutOut();
  }

  #putIf(epoch: Uint8Array | undefined, cells: readonly HBaseCell[], signal: AbortSignal): Promise<boolean> {
    const condition = { family: MARKER_FAMILY, qualifier: "epoch", expected: epoch };
    return this.#table.checkAndPut(this.#row, condition, cells, signal);
  }

  #cell(qualifier: string, text: string): HBaseCell {
    return { family: MARKER_FAMILY, qualifier, stampMs: this.#stamps.next(), value: Buffer.from(text) };
  }

  #newestCell({ batchId, planHash }: Batch, stampMs: number, isWritten: boolean): HBaseCell {
    const newest: NewestBatch = { batchId, planHash, stampMs, isWritten };
    return this.#cell("newest", JSON.stringify(newest));
  }

  #newestIn(cell: HBaseCell): NewestBatch {
    try {
      const { batchId, planHash, stampMs, isWritten } = JSON.parse(textOf(cell)) as Record<keyof NewestBatch, unknown>;
      if (typeof batchId !== "number" || typeof planHash !== "string") throw new TypeError("it names no batch");
      if (typeof stampMs !== "number" || typeof isWritten !== "boolean") throw new TypeError("it has no timestamp");
      return { batchId, planHash, stampMs, isWritten };
    } catch (cause) {
      throw new CheckpointCorruptError(`the marker of ${this.#target} in ${this.#table.name} cannot be read`, {
        cause,
      });
    }
  }

  #shutOut(): TransientError {
    const { epoch, jobName } = this.#context;
    return new TransientError(`${this.#target} was opened by a newer run of ${jobName} than epoch ${epoch}`, {
      code: "SINK_FENCED",
    });
  }
}

function textOf({ value }: HBaseCell): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
}
