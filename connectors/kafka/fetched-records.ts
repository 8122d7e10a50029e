// What one fetch of one partition brought: batches, of which the first may begin before the offset that was asked for
// and the last may be cut. Finds the whole ones at once, so that the next fetch can be under way, and decodes them when
// asked, chunk by chunk. Offsets only go up: a gap is what compaction and markers leave, a step back is damage.
import type { TopicPartition } from "../../runtime/index.ts";
import { type AbortedTransaction, AbortedTransactions } from "./aborted-transactions.ts";
import { BatchRecords, type ChunkBudget, type RecordTarget } from "./batch-records.ts";
import { type BatchHeader, checkBatchCrc, damaged, readBatchHeader } from "./record-batch.ts";

export interface FetchedRecordsOptions {
  readonly partition: TopicPartition;
  readonly bytes: Buffer;
  /** Asked for. */
  readonly fromOffset: number;
  /** undefined: records of aborted transactions are read too. */
  readonly aborted: readonly AbortedTransaction[] | undefined;
}

/** The records of one fetch, decoded in order and at most once. */
export class FetchedRecords {
  /** The offset after the last whole batch; `fromOffset` when there is none. The next fetch begins there. */
  readonly endOffset: number;
  private readonly options: FetchedRecordsOptions;
  private readonly batches: BatchHeader[] = [];
  private readonly aborted: AbortedTransactions;
  private nextBatch = 0;
  private current: BatchRecords | undefined;
  private next: number;

  /** @throws TransientError a batch cannot be right; ConfigError its format is too old */
  constructor(options: FetchedRecordsOptions) {
    this.options = options;
    this.aborted = new AbortedTransactions(options.aborted ?? []);
    this.next = options.fromOffset;
    let endOffset = options.fromOffset;
    let lastOffset = -1;
    for (let at = 0; ; ) {
      const batch = readBatchHeader(options.bytes, at, options.partition);
      if (batch === undefined) break;
      // Only the first may begin, or lie, before what was asked for.
      if (this.batches.length > 0 && batch.baseOffset <= lastOffset) {
        throw damaged(options.partition, batch.baseOffset, "its offset is not after those before it");
      }
      this.batches.push(batch);
      lastOffset = batch.lastOffset;
      endOffset = Math.max(endOffset, lastOffset + 1);
      at = batch.end;
    }
    this.endOffset = endOffset;
  }

  /** The next offset to decode: everything before it has been offered, or is not there. */
  get nextOffset(): number {
    return this.next;
  }

  /** Whether a batch is there but cut: then there is none in whole, and more bytes must be asked for. */
  get isCut(): boolean {
    return this.batches.length === 0 && this.options.bytes.length > 0;
  }

  /**
   * Offers records in offset order, up to `untilOffset` (exclusive), until there is no room in the budget.
   * `nextOffset` tells how far it came; at `untilOffset` or `endOffset` there is no more.
   * @throws TransientError a batch is damaged
   */
  decode(target: RecordTarget, untilOffset: number, budget: ChunkBudget): void {
    const until = Math.min(untilOffset, this.endOffset);
    while (this.next < until) {
      if (budget.records <= 0 || budget.bytes <= 0) return;
      const batch = this.batches[this.nextBatch];
      if (batch === undefined || batch.baseOffset >= until) break;
      this.current ??= this.open(batch);
      const isDone = this.current?.offer(target, this.next, until, budget) ?? true;
      if (!isDone) return;
      if (batch.lastOffset >= until) break;
      this.next = Math.max(this.next, batch.lastOffset + 1);
      this.nextBatch++;
      this.current = undefined;
    }
    this.next = Math.max(this.next, until);
  }

  /** The records of a batch; undefined when it has none that are to be read. */
  private open(batch: BatchHeader): BatchRecords | undefined {
    const { bytes, partition, aborted } = this.options;
    if (batch.isControl) checkBatchCrc(bytes, batch, partition);
    const isCovered = this.aborted.covers(bytes, batch);
    if (batch.isControl || (aborted !== undefined && isCovered)) return undefined;
    return new BatchRecords(bytes, batch, partition);
  }
}
