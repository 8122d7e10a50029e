// Where the simulated job's rows go: a table with markers, on servers of one of five kinds.
//
//   epoch        refuses older epochs from the moment a newer one has opened it (a table with an epoch row)
//   last-opener  refuses all but whoever opened it last, whatever their epochs, and knows the newest marker only (a
//                Kafka transactional.id): after opening it, only the log can tell whether one should have
//   unique       refuses nobody, but no marker can be written twice (a unique constraint)
//   joint        like epoch, and the store can complete its transaction together with an entry (the same database)
//   log          like last-opener, but where the log offers its own transactions, rows go into those: only the log
//                refuses them then (Kafka, with the checkpoint in the same cluster)
import type { OffsetRange } from "../../runtime/contract/positions.ts";
import type {
  Batch,
  BatchCommits,
  BatchWrite,
  EncodedRows,
  JointTransaction,
  Sink,
  SinkContext,
  SinkWriter,
} from "../../runtime/contract/sink.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { SimulatedWorld } from "./world.ts";

export type TableKind = "epoch" | "last-opener" | "unique" | "joint" | "log";

export const TABLE_KINDS: readonly TableKind[] = ["epoch", "last-opener", "unique", "joint", "log"];

/** An open transaction with a batch's rows: it is completed by whoever lands its commit. */
export class SimulatedTransaction implements JointTransaction {
  readonly place = "simulated";
  /** @throws TransientError nothing became visible */
  readonly commit: () => void;

  constructor(commit: () => void) {
    this.commit = commit;
  }
}

/** A batch's visible rows. */
export interface Committed {
  readonly lineageId: string;
  readonly batchId: number;
  readonly planHash: string;
  readonly ranges: readonly OffsetRange[];
  readonly isUnplanned: boolean;
  readonly rows: readonly unknown[];
}

/** The table, on its servers: what is visible. */
export class SimulatedTable {
  readonly kind: TableKind;
  readonly commits: Committed[] = [];
  /** By lineage: an epoch is a number in one lineage's log. */
  readonly epochs = new Map<string, bigint>();
  lastOpener: object | undefined;
  /** Broken on purpose, for a mutant: knows a batch by its number alone. */
  skipsByBatchIdAlone = false;

  constructor(kind: TableKind) {
    this.kind = kind;
  }

  /** What was written under this number in this lineage. */
  written({ lineageId, batchId }: Pick<Batch, "lineageId" | "batchId">): Committed | undefined {
    const marked = this.commits.filter(({ isUnplanned }) => !isUnplanned);
    const known = this.kind === "last-opener" || this.kind === "log" ? marked.slice(-1) : marked;
    if (this.skipsByBatchIdAlone) return known.find((commit) => commit.batchId === batchId);
    return known.find((commit) => commit.lineageId === lineageId && commit.batchId === batchId);
  }
}

/** The sink as one process opens it. */
export function simulatedSink(world: SimulatedWorld, process: SimulatedProcess, table: SimulatedTable): Sink<unknown> {
  const name = table === world.deadLetters ? "deadLetters" : "sink";
  return {
    kind: "simulated",
    guarantee: "exactly-once",
    encoder: () => new world.runtime.PlainRowEncoder<unknown>(),
    open: (context, signal) =>
      process.request({
        name: `${name}.open`,
        changes: true,
        signal,
        land: () => {
          const writer = new SimulatedSinkWriter(world, process, table, name, context);
          writer.checkAllowed(true);
          if (table.kind === "epoch" || table.kind === "joint") table.epochs.set(context.lineageId, context.epoch);
          table.lastOpener = writer;
          return writer;
        },
      }),
  };
}

class SimulatedSinkWriter implements SinkWriter {
  readonly #world: SimulatedWorld;
  readonly #process: SimulatedProcess;
  readonly #table: SimulatedTable;
  readonly #name: string;
  readonly #context: SinkContext;

  constructor(
    world: SimulatedWorld,
    process: SimulatedProcess,
    table: SimulatedTable,
    name: string,
    context: SinkContext,
  ) {
    this.#world = world;
    this.#process = process;
    this.#table = table;
    this.#name = name;
    this.#context = context;
  }

  /** @throws TransientError somebody else has opened the table since, as far as its kind can tell */
  checkAllowed(isOpening: boolean): void {
    const { kind, epochs, lastOpener } = this.#table;
    const { lineageId, epoch } = this.#context;
    const isOld = (kind === "epoch" || kind === "joint") && (epochs.get(lineageId) ?? -1n) > epoch;
    const knowsLast = kind === "last-opener" || (kind === "log" && !this.#isInLog);
    const isNotLast = knowsLast && !isOpening && lastOpener !== this;
    if (isOld || isNotLast) throw new this.#world.runtime.TransientError("another writer has opened the table");
  }

  /** Whether rows go into the log's transactions, of which the log refuses those of others than its last writer. */
  get #isInLog(): boolean {
    return this.#table.kind === "log" && this.#context.logTransactions !== undefined;
  }

  begin(batch: Batch, commits?: BatchCommits): Promise<BatchWrite | "already-written"> {
    return this.#ask("begin", batch.signal, () =>
      this.#isWritten(batch) ? "already-written" : this.#write(batch, commits),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ask("close", undefined, () => {});
  }

  /** @throws CheckpointCorruptError it was written under another plan */
  #isWritten(batch: Batch): boolean {
    this.checkAllowed(false);
    if (batch.isUnplanned) return false;
    const there = this.#table.written(batch);
    if (there === undefined) return false;
    if (there.planHash === batch.planHash || this.#table.skipsByBatchIdAlone) return true;
    throw new this.#world.runtime.CheckpointCorruptError(`batch ${batch.batchId} was written under another plan`);
  }

  #write(batch: Batch, commits: BatchCommits | undefined): BatchWrite {
    const rows: unknown[] = [];
    const commit = () => this.#commit(batch, [...rows]);
    return {
      ...(this.#table.kind === "joint" || this.#isInLog ? { transaction: new SimulatedTransaction(commit) } : {}),
      write: ({ data }: EncodedRows) =>
        this.#ask("write", batch.signal, () => {
          for (const row of data as unknown[]) rows.push(row);
        }),
      commit: async () => {
        await this.#ask("commit", batch.signal, commit, true);
        // What a function sink would do.
        if (commits !== undefined && this.#process.commitMode === "manual") await this.#commitPositions(commits);
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async #commitPositions(commits: BatchCommits): Promise<void> {
    const { random, commitsEachBatch } = this.#world;
    const how = random.pick("sync", "async", "not");
    if (commitsEachBatch || how === "sync") await commits.commitSync();
    else if (how === "async") commits.commitAsync();
  }

  #commit(batch: Batch, rows: readonly unknown[]): void {
    const { lineageId, batchId, planHash, ranges, isUnplanned = false } = batch;
    const commit = { lineageId, batchId, planHash, ranges, isUnplanned, rows };
    if (this.#isWritten(batch)) {
      throw new this.#world.runtime.TransientError("another attempt has written this batch");
    }
    this.#table.commits.push(commit);
    this.#world.ledger.onCommit(this.#table, commit, this.#process.name);
  }

  #ask<T>(what: string, signal: AbortSignal | undefined, land: () => T, changes = false): Promise<T> {
    return this.#process.request({ name: `${this.#name}.${what}`, changes, signal, land });
  }
}
