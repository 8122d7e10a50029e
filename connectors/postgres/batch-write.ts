// One batch on its way into a table, in one transaction that begins with the first rows. Rows are sent as they come by
// `copy`, one statement for some hundred KB, and the next are gathered while the server takes the last: when it is the
// slower one, they become more, up to a megabyte, which costs it less a row. So two megabytes are in memory at most.
// Then the marker, and the commit: the sink's own, or the store's. In mode "upsert" the rows are copied to a temporary
// table first, and from there into their own, the last of each key.
import type { Batch, BatchWrite, EncodedRows } from "../../runtime/index.ts";
import type { Connections } from "./connections.ts";
import { quoted } from "./failures.ts";
import { JointRows } from "./joint-rows.ts";
import type { Marker } from "./marker.ts";
import { type PendingRows, refusal } from "./refused-rows.ts";
import type { CopyBlock } from "./row-encoder.ts";
import type { TableName } from "./table-name.ts";
import type { Transaction, TransactionLimits } from "./transaction.ts";

/** So many bytes are sent when the server has nothing to do. */
const COPY_BYTES = 256 * 1024;
/** More are not gathered: then the server is waited for. */
const MAX_COPY_BYTES = 1024 * 1024;
const STAGING = "pg_temp.tidemark_rows";

/** What a batch is written with. */
export interface Destination {
  readonly connections: Connections;
  readonly marker: Marker;
  readonly table: TableName;
  /** Empty in mode "append". */
  readonly key: readonly string[];
  readonly limits: TransactionLimits;
}

interface GatheredRows extends PendingRows {
  readonly chunks: Uint8Array[];
}

/** Streams the rows of one batch. */
export class PostgresBatchWrite implements BatchWrite {
  readonly transaction: JointRows;
  readonly #destination: Destination;
  readonly #batch: Batch;
  #open: Transaction | undefined;
  #gathered: GatheredRows | undefined;
  #gatheredBytes = 0;
  #rowCount = 0;
  /** The copy that was handed to the server last. */
  #copying: Promise<void> | undefined;
  /** Whether the server is still taking it. */
  #isCopying = false;
  /** What lies in the temporary table. */
  #staged: PendingRows | undefined;
  /** Given up or over: whatever is still being opened is given back. */
  #isDisposed = false;

  constructor(destination: Destination, batch: Batch) {
    this.#destination = destination;
    this.#batch = batch;
    this.transaction = new JointRows(destination.connections.address.place, (signal) => this.#seal(signal));
  }

  async write({ data }: EncodedRows): Promise<void> {
    for (const block of data as readonly CopyBlock[]) {
      if (this.#gathered !== undefined && !isSame(this.#gathered.columns, block.columns)) await this.#send();
      this.#gathered ??= { ...block, chunks: [], firstRow: this.#rowCount + 1 };
      this.#gathered.chunks.push(block.bytes);
      this.#gatheredBytes += block.bytes.byteLength;
      this.#rowCount += block.rowCount;
      if (this.#gatheredBytes >= (this.#isCopying ? MAX_COPY_BYTES : COPY_BYTES)) await this.#send();
    }
  }

  async commit(): Promise<void> {
    const { batchId, signal } = this.#batch;
    const transaction = await this.#seal(signal);
    await transaction.commit(`commit batch ${batchId} to ${this.#destination.table.given}`, signal);
  }

  /** Rolls back what was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    // A copy under way is not waited for: the server rolls back as soon as it sees the connection gone.
    if (this.#copying !== undefined) this.#open?.destroy();
    await this.#open?.rollback();
  }

  /** Sends what is left and marks the batch; what fails here is rolled back at once, since its rows are in the way. */
  async #seal(signal: AbortSignal): Promise<Transaction> {
    try {
      await this.#send();
      await this.#copied();
      const transaction = await this.#opened(signal);
      await this.#mergeStaged(transaction);
      const { marker } = this.#destination;
      if (this.#batch.isUnplanned) await marker.hold(transaction, signal);
      else await marker.set(transaction, this.#batch, signal);
      return transaction;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Hands what is gathered to the server, as soon as it has taken what came before. */
  async #send(): Promise<void> {
    await this.#copied();
    const rows = this.#gathered;
    if (rows === undefined) return;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    const transaction = await this.#opened(this.#batch.signal);
    const { key } = this.#destination;
    if (key.length > 0) await this.#stage(transaction, rows);
    this.#isCopying = true;
    const copying = this.#copy(transaction, rows).finally(() => {
      this.#isCopying = false;
    });
    // Its failure is told by the next step, whichever that is.
    copying.catch(() => undefined);
    this.#copying = copying;
  }

  async #copied(): Promise<void> {
    await this.#copying;
    this.#copying = undefined;
  }

  async #opened(signal: AbortSignal): Promise<Transaction> {
    const { connections, limits } = this.#destination;
    this.#open ??= await connections.begin(limits, signal);
    if (!this.#isDisposed) return this.#open;
    // Nobody disposes of it again who gave the batch up while the connection was being made.
    await this.#open.rollback();
    throw new Error(`batch ${this.#batch.batchId} was given up`);
  }

  async #copy(transaction: Transaction, rows: PendingRows): Promise<void> {
    const { table, key } = this.#destination;
    const target = key.length > 0 ? STAGING : table.sql;
    const statement = `copy ${target} (${rows.columns.map(quoted).join(", ")}) from stdin`;
    await this.#refusing(transaction, rows, () => transaction.copyIn(statement, rows.chunks, this.#batch.signal));
  }

  /** Makes the temporary table for rows with these columns; what is in it with other columns goes where it belongs. */
  async #stage(transaction: Transaction, rows: PendingRows): Promise<void> {
    if (this.#staged !== undefined && isSame(this.#staged.columns, rows.columns)) return;
    await this.#mergeStaged(transaction);
    const columns = rows.columns.map(quoted).join(", ");
    const statement = `create temporary table ${STAGING} on commit drop
      as select ${columns} from ${this.#destination.table.sql} with no data`;
    await this.#refusing(transaction, rows, () => this.#run(transaction, statement));
    this.#staged = rows;
  }

  async #mergeStaged(transaction: Transaction): Promise<void> {
    const rows = this.#staged;
    if (rows === undefined) return;
    const { table, key } = this.#destination;
    const columns = rows.columns.map(quoted).join(", ");
    const changed = rows.columns.filter((name) => !key.includes(name)).map(quoted);
    const change = changed.map((name) => `${name} = excluded.${name}`).join(", ");
    const keys = key.map(quoted).join(", ");
    // Nothing in a temporary table is updated, so that a later row has a later place (ctid).
    const statement = `insert into ${table.sql} (${columns})
      select distinct on (${keys}) ${columns} from ${STAGING} order by ${keys}, ctid desc
      on conflict (${keys}) do ${changed.length > 0 ? `update set ${change}` : "nothing"}`;
    await this.#refusing(transaction, { ...rows, chunks: [] }, async () => {
      await this.#run(transaction, statement);
      await this.#run(transaction, `drop table ${STAGING}`);
    });
    this.#staged = undefined;
  }

  #run(transaction: Transaction, statement: string): Promise<unknown> {
    return transaction.query(statement, [], { doing: "write rows", signal: this.#batch.signal });
  }

  /** Says what a refusal of rows means. */
  async #refusing(transaction: Transaction, rows: PendingRows, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#batch.signal.aborted) throw error;
      const { table, key, connections } = this.#destination;
      const { batchId } = this.#batch;
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      const refused = refusal(cause, { table, rows, batchId, label: connections.address.label, key });
      throw refused ?? transaction.failure(error, { doing: `write batch ${batchId} to ${table.given}` });
    }
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((name, index) => name === other[index]));
}
