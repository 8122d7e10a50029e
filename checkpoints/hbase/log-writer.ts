// One writer's term on a job's row. An append is one check-and-put: if the head still holds this writer's token and the
// number before, then the entry and the new head are put, both or neither. Any take-over has put another token there,
// and no older writer's compare can ever be true again. A compare that is false after a lost reply may be so because
// of the first try: then the entry that is there tells, by its token.
import { type HBaseCell, type HBaseTable, NO_TABLE, type Stamps } from "../../connectors/hbase/client.ts";
import {
  type Appended,
  CheckpointMissingError,
  ConfigError,
  type Entry,
  type Heartbeat,
  type LogWriter,
  type Position,
} from "../../runtime/index.ts";
import { encodeHeartbeat } from "../heartbeat-json.ts";
import {
  BEYOND_ENTRIES,
  type Bounds,
  byQualifier,
  decodeBounds,
  decodeEntryCell,
  decodeHead,
  decodeShown,
  encodeBounds,
  encodeEntryCell,
  encodeHead,
  encodeShown,
  entryName,
  FAMILY,
  type Shown,
} from "./job-row.ts";
import { FIRST_PAGE, pageAfter } from "./read-log.ts";
import type { ShownOffsets } from "./shown-offsets.ts";

/** What a writer works with. */
export interface Term {
  readonly table: HBaseTable;
  readonly jobName: string;
  /** The random token that is this writer's alone. */
  readonly writer: string;
  readonly stamps: Stamps;
  /** undefined: positions are shown nowhere. */
  readonly shownOffsets: ShownOffsets | undefined;
}

/** Appends to the log that was taken over; made only by a take-over. */
export class HBaseLogWriter implements LogWriter {
  readonly #term: Term;
  #isClosed = false;
  /** Entries below it have been removed, which is written down with the next pruning. */
  #tidied: bigint | undefined;

  constructor(term: Term) {
    this.#term = term;
  }

  async append(seq: bigint, entry: Entry, customary: readonly Position[], signal: AbortSignal): Promise<Appended> {
    const { table, jobName, writer, stamps, shownOffsets } = this.#term;
    if (this.#isClosed) throw new Error(`the writer of ${jobName} is closed`);
    signal.throwIfAborted();
    const atMs = stamps.next();
    const cells = [
      cellOf("head", encodeHead({ writer, seq }), atMs),
      cellOf(entryName(seq), encodeEntryCell(entry), atMs),
    ];
    const shown = customary.length > 0 && shownOffsets !== undefined ? { atMs, positions: customary } : undefined;
    if (shown !== undefined) cells.push(cellOf("shown", encodeShown(shown), atMs));
    const expected = encodeHead({ writer, seq: seq - 1n });
    const condition = { family: FAMILY, qualifier: "head", expected };
    const hasAppended = await table.checkAndPut(jobName, condition, cells, signal).catch((error: unknown) => {
      throw error instanceof ConfigError && error.code === NO_TABLE ? this.#missing(error) : error;
    });
    if (!hasAppended) return await this.#whatIsThere(seq, entry, signal);
    if (shown !== undefined) await shownOffsets?.show(shown, signal);
    return { is: "appended" };
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    const { table, jobName, writer } = this.#term;
    const found = byQualifier(await table.get(jobName, FAMILY, ["head", "bounds", "shown"], signal));
    const [headCell, boundsCell] = [found.get("head"), found.get("bounds")];
    if (headCell === undefined || boundsCell === undefined) return;
    const head = decodeHead(headCell.value, jobName);
    const bounds = decodeBounds(boundsCell.value, jobName);
    if (head.writer !== writer) return;
    const until = before < head.seq ? before : head.seq;
    const first = until > bounds.first ? until : bounds.first;
    const tidied = this.#tidied ?? bounds.tidied;
    if (tidied >= first) return;
    // First they no longer count; then they are removed, with which whoever is overtaken meanwhile may as well go on.
    if (!(await this.#putBounds({ first, tidied }, signal))) return;
    await this.#removeEntries(tidied, first, signal);
    const shownCell = found.get("shown");
    if (shownCell !== undefined) await this.#pruneShown(decodeShown(shownCell.value, jobName), first, signal);
    this.#tidied = first;
  }

  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    const { stamps } = this.#term;
    await this.#putAsWriter(cellOf("heartbeat", Buffer.from(encodeHeartbeat(heartbeat)), stamps.next()), signal);
  }

  /** The connections belong to the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }

  async #whatIsThere(seq: bigint, mine: Entry, signal: AbortSignal): Promise<Appended> {
    const { table, jobName, writer, shownOffsets } = this.#term;
    const names = ["head", "bounds", "shown", entryName(seq)];
    const found = byQualifier(await table.get(jobName, FAMILY, names, signal));
    const headCell = found.get("head");
    if (headCell === undefined) throw this.#missing();
    const head = decodeHead(headCell.value, jobName);
    const [entryCell, boundsCell, shownCell] = [found.get(entryName(seq)), found.get("bounds"), found.get("shown")];
    const isPruned = boundsCell !== undefined && seq < decodeBounds(boundsCell.value, jobName).first;
    if (entryCell === undefined || isPruned || seq > head.seq) return { is: "behind", head: head.seq };
    const entry = decodeEntryCell(entryCell.value, jobName);
    // An append whose reply was lost: its positions may not have been shown.
    const isNewestAndMine = entry.token === mine.token && head.writer === writer && head.seq === seq;
    if (isNewestAndMine && shownCell !== undefined) {
      await shownOffsets?.show(decodeShown(shownCell.value, jobName), signal);
    }
    return { is: "exists", entry };
  }

  #missing(cause?: unknown): CheckpointMissingError {
    return new CheckpointMissingError(`the checkpoint of ${this.#term.jobName} is gone while the job runs`, {
      hint: "put its row back from a snapshot before the job starts again; without it it would begin anew",
      cause,
    });
  }

  /** Removes entries from `from` (inclusive) to `until` (exclusive), as they are found. */
  async #removeEntries(from: bigint, until: bigint, signal: AbortSignal): Promise<void> {
    const { table, jobName } = this.#term;
    const range = { family: FAMILY, from: entryName(from), until: entryName(until) };
    for (let limit = FIRST_PAGE; ; ) {
      const cells = await table.getRange(jobName, { ...range, limit }, signal);
      const removals = cells.map(({ family, qualifier, stampMs }) => ({ family, qualifier, stampMs }));
      if (removals.length > 0) await table.write([{ row: Buffer.from(jobName), puts: [], removals }], signal);
      if (cells.length < limit) return;
      limit = pageAfter(cells);
    }
  }

  /** Rows that are older than the oldest entry go, but never the newest. */
  async #pruneShown(shown: Shown, first: bigint, signal: AbortSignal): Promise<void> {
    const { table, jobName, shownOffsets } = this.#term;
    if (shownOffsets === undefined) return;
    const range = { family: FAMILY, from: entryName(first), until: BEYOND_ENTRIES, limit: 1 };
    const [oldest] = await table.getRange(jobName, range, signal);
    if (oldest === undefined) return;
    await shownOffsets.prune(shown, Math.min(oldest.stampMs, shown.atMs), signal);
  }

  #putBounds(bounds: Bounds, signal: AbortSignal): Promise<boolean> {
    return this.#putAsWriter(cellOf("bounds", encodeBounds(bounds), this.#term.stamps.next()), signal);
  }

  /** Puts a cell if nobody has taken over. */
  async #putAsWriter(cell: HBaseCell, signal: AbortSignal): Promise<boolean> {
    const { table, jobName, writer } = this.#term;
    const condition = { family: FAMILY, qualifier: "writer", expected: Buffer.from(writer) };
    return await table.checkAndPut(jobName, condition, [cell], signal);
  }
}

/** A cell of a job's row. */
export function cellOf(qualifier: string, value: Uint8Array, stampMs: number): HBaseCell {
  return { family: FAMILY, qualifier, stampMs, value };
}
