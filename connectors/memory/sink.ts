// A sink in this process's memory: exactly-once as long as the process lives, and fenced like the others, so that the
// runtime's own tests can rely on it. The state belongs to the sink, so that rows outlast the job that wrote them.
import {
  type Batch,
  type BatchWrite,
  CheckpointCorruptError,
  PlainRowEncoder,
  type Sink,
  type SinkWriter,
  TransientError,
} from "../../runtime/index.ts";

/** One batch as it was committed. */
export interface MemoryBatch<Row> {
  readonly lineageId: string;
  readonly batchId: number;
  readonly planHash: string;
  readonly rows: readonly Row[];
}

export interface MemorySink<Row> extends Sink<Row> {
  /** All rows of all committed batches, in the order of the commits. Made anew at each reading. */
  readonly rows: readonly Row[];
  /** The committed batches that had rows, in the order of the commits. */
  readonly batches: readonly MemoryBatch<Row>[];
}

/** Gathers rows in memory. */
export function memorySink<Row = unknown>(): MemorySink<Row> {
  const state: MemoryState<Row> = { batches: [], byKey: new Map(), terms: new Map() };
  return {
    kind: "memory",
    guarantee: "exactly-once",
    encoder: () => new PlainRowEncoder<Row>(),
    async open({ lineageId, epoch }, signal) {
      signal.throwIfAborted();
      const term = state.terms.get(lineageId);
      if (term !== undefined && term.epoch > epoch) throw shutOut(lineageId);
      const mine = { epoch };
      state.terms.set(lineageId, mine);
      return new MemoryWriter(state, lineageId, mine);
    },
    get rows() {
      return state.batches.flatMap((batch) => batch.rows);
    },
    get batches() {
      return [...state.batches];
    },
  };
}

/** One opening of the sink; only the newest of a lineage may write. */
interface Term {
  readonly epoch: bigint;
}

interface MemoryState<Row> {
  readonly batches: MemoryBatch<Row>[];
  readonly byKey: Map<string, MemoryBatch<Row>>;
  readonly terms: Map<string, Term>;
}

class MemoryWriter<Row> implements SinkWriter {
  private readonly state: MemoryState<Row>;
  private readonly lineageId: string;
  private readonly term: Term;

  constructor(state: MemoryState<Row>, lineageId: string, term: Term) {
    this.state = state;
    this.lineageId = lineageId;
    this.term = term;
  }

  async begin(batch: Batch): Promise<BatchWrite | "already-written"> {
    batch.signal.throwIfAborted();
    this.checkTerm();
    const written = batch.isUnplanned ? undefined : this.state.byKey.get(keyOf(batch));
    if (written?.planHash === batch.planHash) return "already-written";
    if (written !== undefined) {
      throw new CheckpointCorruptError(
        `the memory sink holds batch ${batch.batchId} under plan ${written.planHash}, not ${batch.planHash}`,
      );
    }
    const rows: Row[] = [];
    return {
      write: async ({ data }) => {
        for (const row of data as readonly Row[]) rows.push(row);
      },
      commit: async () => this.commit(batch, rows),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The state belongs to the sink, which outlives its writers.
  }

  private commit({ lineageId, batchId, planHash, isUnplanned }: Batch, rows: readonly Row[]): void {
    this.checkTerm();
    if (rows.length === 0) return;
    const committed = { lineageId, batchId, planHash, rows };
    this.state.batches.push(committed);
    if (!isUnplanned) this.state.byKey.set(keyOf(committed), committed);
  }

  private checkTerm(): void {
    if (this.state.terms.get(this.lineageId) !== this.term) throw shutOut(this.lineageId);
  }
}

function keyOf({ lineageId, batchId }: { readonly lineageId: string; readonly batchId: number }): string {
  return `${lineageId} ${batchId}`;
}

function shutOut(lineageId: string): TransientError {
  return new TransientError(`the memory sink was opened anew for ${lineageId}`, { code: "SINK_FENCED" });
}
