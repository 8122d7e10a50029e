// Reads one range of one partition: takes what was kept from the range before, keeps one fetch under way while it
// decodes, and leaves behind what came beyond the end. Ends exactly at the range's end, whatever gaps there are.
import type { OffsetRange } from "../../runtime/index.ts";
import { abortable } from "./abortable.ts";
import type { RecordTarget } from "./batch-records.ts";
import type { Fetched, Fetcher, IdentifiedPartition } from "./fetcher.ts";
import type { EarlyFetch, KeptFetches } from "./kept-fetches.ts";

/** A chunk is small enough for the young generation of the heap, and large enough to be worth handing over. */
const CHUNK_RECORDS = 4096;
const CHUNK_BYTES = 1024 * 1024;

export interface RangeReaderOptions {
  readonly fetcher: Fetcher;
  readonly kept: KeptFetches;
  readonly fetchMaxBytes: number;
  /** Ends the fetches that were begun early. */
  readonly closing: AbortSignal;
}

/** Reads ranges, each once; several at the same time. */
export class RangeReader {
  private readonly options: RangeReaderOptions;

  constructor(options: RangeReaderOptions) {
    this.options = options;
  }

  /**
   * Offers the records of a range to the target, chunk by chunk: each step has offered one, and the last has come to
   * the range's end.
   * @throws DataLossError a part of the range is not there; what comes before it was offered
   * @throws TransientError Kafka cannot be read now, or a batch is damaged
   */
  async *read(
    partition: IdentifiedPartition,
    range: OffsetRange,
    target: RecordTarget,
    signal: AbortSignal,
  ): AsyncGenerator<void> {
    const until = Number(range.untilOffset);
    let next = Number(range.fromOffset);
    const kept = this.options.kept.take(partition);
    let early = kept?.next;
    let fetched = kept?.rest?.records.nextOffset === next ? kept.rest : undefined;
    while (next < until) {
      signal.throwIfAborted();
      fetched ??= await this.arrived(early, next, signal);
      fetched ??= await this.options.fetcher.fetch(partition, { ...range, fromOffset: BigInt(next) }, signal);
      const { records } = fetched;
      if (early?.fromOffset !== records.endOffset) early = this.fetchEarly(partition, fetched, until);
      const end = Math.min(until, records.endOffset);
      while (records.nextOffset < end) {
        signal.throwIfAborted();
        records.decode(target, until, { records: CHUNK_RECORDS, bytes: CHUNK_BYTES });
        yield;
      }
      next = end;
      if (records.endOffset > until) this.options.kept.keep(partition, { rest: fetched, next: early });
      else if (next === until) this.options.kept.keep(partition, { rest: undefined, next: early });
      fetched = undefined;
    }
  }

  /** What a fetch that was begun early has brought, if it begins where it should. */
  private async arrived(
    early: EarlyFetch | undefined,
    fromOffset: number,
    signal: AbortSignal,
  ): Promise<Fetched | undefined> {
    return early?.fromOffset === fromOffset ? await abortable(early.fetched, signal) : undefined;
  }

  /** Begins the fetch that follows, if there is more to read: for this range, or for the next one if there is room. */
  private fetchEarly(partition: IdentifiedPartition, fetched: Fetched, until: number): EarlyFetch | undefined {
    const { fetcher, kept, fetchMaxBytes, closing } = this.options;
    const fromOffset = fetched.records.endOffset;
    if (fromOffset >= fetched.availableEnd) return undefined;
    if (fromOffset >= until && !kept.hasRoomFor(fetched.sizeBytes + fetchMaxBytes)) return undefined;
    // Why it failed is found out by the fetch that must not fail.
    const attempt = fetcher.tryFetch(partition, BigInt(fromOffset), closing).catch(() => undefined);
    return { fromOffset, fetched: attempt, sizeBytes: fetchMaxBytes };
  }
}
