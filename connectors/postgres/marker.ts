// The sink's memory of the newest batch in a table, per lineage: a row with batchId, plan hash and the epoch that may
// write. Opening raises the epoch; sealing a batch changes the row only if the epoch is still the own one, and the
// batch not there yet, in the transaction of the batch's rows. So nobody else can have marked a batch in between, and
// one beyond all that was there and all that was tried since needs no look; but replays all have the same epoch: they
// look each time, and of two that write one batch the later waits for the earlier's row and finds itself refused. A
// frozen writer's open transaction would hold the row and its rows' keys: its session is ended, which needs no more
// than being the same user.
import { type Batch, CheckpointCorruptError, type SinkContext, TransientError } from "../../runtime/index.ts";
import type { Connections } from "./connections.ts";
import { quoted } from "./failures.ts";
import type { Migrations } from "./migrate.ts";
import type { Transaction, TransactionLimits } from "./transaction.ts";

/** Not of a run of its own, so that it shuts nobody out who has it too. */
const SHARED_EPOCH = 0n;

/** The tables that the sink keeps beside the rows. */
export const sinkMigrations: Migrations = {
  part: "sink",
  steps: [
    (schema) => `create table ${schema}.batches (
      lineage text not null,
      target text not null,
      epoch bigint not null,
      job text not null,
      batch_id bigint,
      plan_hash text,
      written_at timestamptz,
      primary key (lineage, target)
    ) with (fillfactor = 50);
    comment on table ${schema}.batches is 'the newest batch that a job wrote to a table'`,
  ],
};

/** What sessions are called that hold rows of a lineage's epoch: 61 characters at most. */
export function applicationNameOf(lineageId: string, epoch: bigint): string {
  return `tidemark ${lineageId.replaceAll(/[^0-9a-z]/gi, "").slice(0, 32)} ${epoch}`;
}

/** The marker of one lineage in one table, as one epoch sees it. */
export class Marker {
  readonly #table: string;
  readonly #target: string;
  readonly #context: SinkContext;
  /** No later batch is marked, unless by a higher epoch, which lets none of this one's through. */
  #newestBatchId = Number.POSITIVE_INFINITY;

  /** @param target the table, by the name that is the same for every spelling of it */
  constructor(schema: string, target: string, context: SinkContext) {
    this.#table = `${quoted(schema)}.batches`;
    this.#target = target;
    this.#context = context;
  }

  /** Shuts out lower epochs and ends their open transactions. @throws TransientError there is a higher one */
  async raise(connections: Connections, limits: TransactionLimits, signal: AbortSignal): Promise<void> {
    const { lineageId, epoch, jobName } = this.#context;
    const doing = `open ${this.#target} for epoch ${epoch}`;
    await using transaction = await connections.begin({ ...limits, applicationName: "tidemark open" }, signal);
    await transaction.query(END_OLDER, [applicationNameOf(lineageId, 0n).slice(0, -1), `${epoch}`], { doing, signal });
    const raised = await transaction.query(
      `insert into ${this.#table} as marker (lineage, target, epoch, job) values ($1, $2, $3, $4)
      on conflict (lineage, target) do update set epoch = excluded.epoch, job = excluded.job
      where marker.epoch <= excluded.epoch returning batch_id`,
      [lineageId, this.#target, `${epoch}`, jobName],
      { doing, signal },
    );
    if (raised.rowCount !== 1) throw this.#shutOut();
    await transaction.commit(doing, signal);
    this.#newestBatchId = Number(raised.rows[0]?.batch_id ?? -1);
  }

  /**
   * Whether this very batch is in the table.
   * @throws CheckpointCorruptError its number is there under another plan, or a later one is
   * @throws TransientError a higher epoch has opened the table, if it is looked for; else `set` says it
   */
  async has(connections: Connections, batch: Batch): Promise<boolean> {
    const { lineageId, epoch } = this.#context;
    if (batch.batchId > this.#newestBatchId && epoch !== SHARED_EPOCH) return false;
    const { rows } = await connections.run(
      `select epoch, batch_id, plan_hash from ${this.#table} where lineage = $1 and target = $2`,
      [lineageId, this.#target],
      { doing: `look for batch ${batch.batchId} in ${this.#target}`, signal: batch.signal },
    );
    const [found] = rows;
    if (found === undefined || BigInt(found.epoch) !== epoch) throw this.#shutOut();
    const newest = found.batch_id === null ? -1 : Number(found.batch_id);
    if (newest < batch.batchId) return false;
    if (newest === batch.batchId && found.plan_hash === batch.planHash) return true;
    const what = newest === batch.batchId ? `under plan ${found.plan_hash}, not ${batch.planHash}` : "already";
    const asked = `batch ${batch.batchId} is to be written`;
    throw new CheckpointCorruptError(`${this.#target} holds batch ${newest} of this job ${what}, and ${asked}`, {
      hint: "is the checkpoint an old copy? Put the newest back; or begin anew: an empty table, another job name",
    });
  }

  /**
   * Marks the batch as written, in its own transaction.
   * @throws TransientError a higher epoch has opened the table, or another replay has written the batch meanwhile
   */
  async set(transaction: Transaction, { batchId, planHash }: Batch, signal: AbortSignal): Promise<void> {
    const { lineageId, epoch } = this.#context;
    this.#newestBatchId = Math.max(this.#newestBatchId, batchId);
    const { rowCount } = await transaction.query(
      `update ${this.#table} set batch_id = $4, plan_hash = $5, written_at = now()
      where lineage = $1 and target = $2 and epoch = $3 and (batch_id is null or batch_id < $4)`,
      [lineageId, this.#target, `${epoch}`, batchId, planHash],
      { doing: `mark batch ${batchId} in ${this.#target}`, signal },
    );
    if (rowCount === 1) return;
    // Only replays share an epoch.
    if (epoch !== SHARED_EPOCH) throw this.#shutOut();
    throw new TransientError(`another replay wrote batch ${batchId} to ${this.#target} at the same time`, {
      code: "SINK_BUSY",
      hint: "replay again: batches that are there by then are not written twice",
    });
  }

  /** Holds the epoch until the transaction ends, and marks no batch. @throws TransientError there is a higher one */
  async hold(transaction: Transaction, signal: AbortSignal): Promise<void> {
    const { lineageId, epoch } = this.#context;
    const { rowCount } = await transaction.query(
      `select from ${this.#table} where lineage = $1 and target = $2 and epoch = $3 for update`,
      [lineageId, this.#target, `${epoch}`],
      { doing: `look whether ${this.#target} is still this run's`, signal },
    );
    if (rowCount !== 1) throw this.#shutOut();
  }

  #shutOut(): TransientError {
    const { epoch, jobName } = this.#context;
    return new TransientError(`${this.#target} was opened by a newer run of ${jobName} than epoch ${epoch}`, {
      code: "SINK_FENCED",
    });
  }
}

/** Ends sessions with an open transaction of the lineage ($1: how their names begin) and a lower epoch than $2. */
const END_OLDER = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where usename = current_user and datname = current_database() and xact_start is not null
    and pid <> pg_backend_pid() and starts_with(application_name, $1)
    and case when application_name ~ ' [0-9]+$' then split_part(application_name, ' ', 3)::numeric < $2::numeric end`;
