// Which batches of a fetch belong to transactions that were aborted. The broker lists the transactions that overlap the
// fetch, by producer and first offset; a producer's batches are aborted from there up to its next abort marker. The
// order of steps is the Java client's (CompletedFetch): batches must be asked for in offset order, each one once.
import type { BatchHeader } from "./record-batch.ts";
import { VarintReader } from "./varint-reader.ts";

/** A transaction that was aborted. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** Type of a control record that aborts; its key is two int16: a version and this. */
const ABORT_MARKER = 0;

/** Tells aborted batches, in one fetch under read_committed. */
export class AbortedTransactions {
  private readonly waiting: AbortedTransaction[];
  private readonly open = new Set<bigint>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.waiting = [...transactions].sort((a, b) => (a.firstOffset < b.firstOffset ? 1 : -1));
  }

  /** Whether a batch is not to be read. Call it once for each batch, in offset order, markers too. */
  covers(bytes: Buffer, batch: BatchHeader): boolean {
    for (let next = this.waiting.at(-1); next !== undefined; next = this.waiting.at(-1)) {
      if (next.firstOffset > BigInt(batch.lastOffset)) break;
      this.open.add(next.producerId);
      this.waiting.pop();
    }
    if (batch.isControl) {
      if (isAbortMarker(bytes, batch)) this.open.delete(batch.producerId);
      return true;
    }
    return batch.isTransactional && this.open.has(batch.producerId);
  }
}

function isAbortMarker(bytes: Buffer, { recordsStart, end }: BatchHeader): boolean {
  const reader = new VarintReader(bytes, recordsStart);
  reader.readInt();
  reader.position++;
  reader.readLong();
  reader.readInt();
  const keyLength = reader.readInt();
  if (keyLength < 4 || !(reader.position + 4 <= end)) return false;
  return bytes.readInt16BE(reader.position + 2) === ABORT_MARKER;
}
