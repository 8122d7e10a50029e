// One writer's term on a job's log. An append is one statement: it moves the head only if this writer took over last
// and the head is the number before, and the entry and the customary offsets follow from that. By itself it is a
// transaction of its own, of which nothing stays open on the server however long this process is frozen; with a
// sink's rows it runs in their transaction, which is committed then.
import type { Connections, Transaction } from "../../connectors/postgres/client.ts";
import { JointRows } from "../../connectors/postgres/client.ts";
import {
  type Appended,
  CheckpointMissingError,
  type Entry,
  type Heartbeat,
  type JointTransaction,
  type LogWriter,
  type Position,
} from "../../runtime/index.ts";
import type { Statements } from "./tables.ts";

const PRUNED_AT_ONCE = 1_000;

/** What a writer works with. */
export interface Term {
  readonly connections: Connections;
  readonly statements: Statements;
  readonly jobName: string;
  /** The random token that is this writer's alone. */
  readonly writer: string;
}

/** Appends to the log that was taken over; made only by a take-over. */
export class PostgresLogWriter implements LogWriter {
  readonly #connections: Connections;
  readonly #statements: Statements;
  readonly #jobName: string;
  readonly #writer: string;
  #isClosed = false;

  constructor({ connections, statements, jobName, writer }: Term) {
    this.#connections = connections;
    this.#statements = statements;
    this.#jobName = jobName;
    this.#writer = writer;
  }

  canJoin(rows: JointTransaction): boolean {
    return rows instanceof JointRows && rows.place === this.#connections.address.place;
  }

  async append(
    seq: bigint,
    entry: Entry,
    customary: readonly Position[],
    signal: AbortSignal,
    rows?: JointTransaction,
  ): Promise<Appended> {
    if (this.#isClosed) throw new Error(`the writer of ${this.#jobName} is closed`);
    signal.throwIfAborted();
    const values = this.#valuesOf(seq, entry, customary);
    const hasAppended =
      rows === undefined ? await this.#appendAlone(values, signal) : await this.#appendWith(rows, values, signal);
    return hasAppended ? { is: "appended" } : await this.#whatIsThere(seq, signal);
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    const values = [this.#jobName, this.#writer, `${before}`, PRUNED_AT_ONCE];
    const options = { doing: `prune the checkpoint of ${this.#jobName}`, signal };
    for (;;) {
      const { rowCount } = await this.#connections.run(this.#statements.prune, values, options);
      if ((rowCount ?? 0) < PRUNED_AT_ONCE) return;
    }
  }

  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    const { epoch, beat, atMs, everyMs, host, pid, processStart = null, stopped, current = null } = heartbeat;
    const values = [this.#jobName, `${epoch}`, beat, atMs, everyMs, host, pid, processStart, stopped, current];
    const options = { doing: `leave a heartbeat of ${this.#jobName}`, signal };
    await this.#connections.run(this.#statements.beat, values, options);
  }

  /** The connections belong to the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }

  async #appendAlone(values: unknown[], signal: AbortSignal): Promise<boolean> {
    const options = { doing: this.#doing, signal, mayHaveHappened: true };
    const { rows } = await this.#connections.run(this.#statements.append, values, options);
    return rows[0]?.appended === 1;
  }

  async #appendWith(joint: JointTransaction, values: unknown[], signal: AbortSignal): Promise<boolean> {
    if (!(joint instanceof JointRows) || !this.canJoin(joint)) {
      throw new Error("these rows are not in the database of the checkpoint");
    }
    const transaction: Transaction = await joint.seal(signal);
    try {
      const { rows } = await transaction.query(this.#statements.append, values, { doing: this.#doing, signal });
      if (rows[0]?.appended !== 1) {
        await transaction.rollback();
        return false;
      }
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
    await transaction.commit(this.#doing, signal);
    return true;
  }

  async #whatIsThere(seq: bigint, signal: AbortSignal): Promise<Appended> {
    const options = { doing: this.#doing, signal };
    const values = [this.#jobName, `${seq}`];
    const { rows } = await this.#connections.run(this.#statements.entryAndHead, values, options);
    const [found] = rows;
    if (found === undefined) {
      throw new CheckpointMissingError(`the checkpoint of ${this.#jobName} is gone while the job runs`, {
        hint: "put the tables back from a backup before the job starts again; without them it would begin anew",
      });
    }
    if (found.token === null) return { is: "behind", head: BigInt(found.head) };
    return { is: "exists", entry: { token: found.token, bytes: new Uint8Array(found.bytes) } };
  }

  #valuesOf(seq: bigint, { token, bytes }: Entry, customary: readonly Position[]): unknown[] {
    const topics = customary.map(({ topic }) => topic);
    const partitions = customary.map(({ partition }) => partition);
    const offsets = customary.map(({ offset }) => `${offset}`);
    return [this.#jobName, this.#writer, `${seq}`, token, asBuffer(bytes), topics, partitions, offsets];
  }

  get #doing(): string {
    return `append to the checkpoint of ${this.#jobName}`;
  }
}

/** The driver takes Buffers for bytea; this one is a view. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
