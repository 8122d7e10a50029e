// Reads one range of one partition: takes what was kept from the range before, keeps one fetch under way while it
// decodes, and leaves behind what came beyond the end. Ends exactly at the range's end, whatever gaps there are.
import type { OffsetRange } from "../../runtime/index.ts";
import { abortable } from "./abortable.ts";
import type { RecordTarget } from "./batch-records.ts";
import { type EarlyFetch, EarlyFetches } from "./early-fetches.ts";
import type { Fetched, Fetcher, IdentifiedPartition } from "./fetcher.ts";
import type { KeptFetches } from "./kept-fetches.ts";

/** A chunk is small enough for the young generation of the heap, and large enough to be worth handing over. */
const CHUNK_RECORDS = 4096;
const CHUNK_BYTES = 1024 * 1024;
/** Nothing smaller is worth a request. */
const LEAST_FETCH_BYTES = 16 * 1024;
/** A range that ends where a batch does should come in one fetch. */
const MARGIN = 1.2;

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
  private readonly early: EarlyFetches;
  /** What an offset took in the last fetch, on average; 0 before the first. */
  private offsetBytes = 0;

  constructor(options: RangeReaderOptions) {
    this.options = options;
    this.early = new EarlyFetches(options);
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
    const { kept: keptFetches, fetcher } = this.options;
    const until = Number(range.untilOffset);
    let next = Number(range.fromOffset);
    const kept = keptFetches.take(partition);
    let early = kept?.next;
    let fetched = kept?.rest?.records.nextOffset === next ? kept.rest : undefined;
    while (next < until) {
      signal.throwIfAborted();
      if (fetched === undefined) {
        const rest = { ...range, fromOffset: BigInt(next) };
        fetched = await this.arrived(early, next, signal);
        fetched ??= await fetcher.fetch(partition, rest, signal, this.bytesFor(until - next));
        this.offsetBytes = fetched.sizeBytes / (fetched.records.endOffset - next);
      }
      const { records } = fetched;
      if (early?.fromOffset !== records.endOffset) early = this.fetchEarly(partition, fetched, range);
      const end = Math.min(until, records.endOffset);
      while (records.nextOffset < end) {
        signal.throwIfAborted();
        records.decode(target, until, { records: CHUNK_RECORDS, bytes: CHUNK_BYTES });
        yield;
      }
      next = end;
      if (records.endOffset > until) keptFetches.keep(partition, { rest: fetched, next: early });
      else if (next === until) keptFetches.keep(partition, { rest: undefined, next: early });
      fetched = undefined;
    }
  }

  /** What a fetch that was begun early has brought, if it begins where it should. */
  private async arrived(
    early: EarlyFetch | undefined,
    fromOffset: number,
    signal: AbortSignal,
  ): Promise<Fetched | undefined> {
    return early?.fromOffset === fromOffset ? await abortable(early.arrived(), signal) : undefined;
  }

  /** Begins the fetch that follows, if there is more to read: for this range, or for the next one if there is room. */
  private fetchEarly(partition: IdentifiedPartition, fetched: Fetched, range: OffsetRange): EarlyFetch | undefined {
    const { kept, fetchMaxBytes } = this.options;
    const until = Number(range.untilOffset);
    const fromOffset = fetched.records.endOffset;
    if (fromOffset >= fetched.availableEnd) return undefined;
    if (fromOffset < until) {
      const needed = this.early.want({ partition, fromOffset, maxBytes: this.bytesFor(until - fromOffset) });
      this.early.begin();
      return needed;
    }
    // What is left is enough for a next range like this one.
    if (BigInt(fromOffset) - range.untilOffset > range.untilOffset - range.fromOffset) return undefined;
    const maxBytes = Math.max(LEAST_FETCH_BYTES, Math.min(fetchMaxBytes, kept.shareBytes));
    if (!kept.hasRoomFor(fetched.sizeBytes + maxBytes)) return undefined;
    return this.early.want({ partition, fromOffset, maxBytes });
  }

  /** How much to ask for when so many offsets are to be read: what is fetched beyond them may find no room. */
  private bytesFor(offsets: number): number {
    const { kept, fetchMaxBytes } = this.options;
    if (this.offsetBytes === 0) return fetchMaxBytes;
    const needed = Math.ceil(offsets * this.offsetBytes * MARGIN);
    return Math.min(fetchMaxBytes, Math.max(LEAST_FETCH_BYTES, kept.shareBytes, needed));
  }
}
