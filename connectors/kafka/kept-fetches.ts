// What was fetched beyond the end of a range, for the range that will most likely follow: the rest of the last fetch,
// and the fetch after it, which may be under way. Bounded in bytes over all partitions; what there is no room for is
// fetched again. It never changes what is read, only how soon.
import { partitionKey, type TopicPartition } from "../../runtime/index.ts";
import type { EarlyFetch } from "./early-fetches.ts";
import type { Fetched } from "./fetcher.ts";

/** What there is for a partition. */
export interface KeptFetch {
  readonly rest: Fetched | undefined;
  readonly next: EarlyFetch | undefined;
}

/** The kept fetches of a source's partitions. */
export class KeptFetches {
  private readonly maxBytes: number;
  /** How many partitions the source has, as far as is known: they share the bytes. */
  partitionCount = 1;
  private readonly seen = new Set<string>();
  private readonly kept = new Map<string, KeptFetch>();
  private bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Whether so many more bytes may be kept. */
  hasRoomFor(sizeBytes: number): boolean {
    return this.bytes + sizeBytes <= this.maxBytes;
  }

  /** A partition's share of all bytes, half for the rest of one fetch and half for the next. */
  get shareBytes(): number {
    return Math.floor(this.maxBytes / Math.max(this.partitionCount, this.seen.size) / 2);
  }

  /** Keeps what there is room for, in place of what was kept for this partition. */
  keep(partition: TopicPartition, kept: KeptFetch): void {
    this.take(partition);
    const rest = kept.rest && this.hasRoomFor(kept.rest.sizeBytes) ? kept.rest : undefined;
    const restBytes = rest?.sizeBytes ?? 0;
    const next = kept.next && this.hasRoomFor(restBytes + kept.next.sizeBytes) ? kept.next : undefined;
    if (rest === undefined && next === undefined) return;
    this.bytes += restBytes + (next?.sizeBytes ?? 0);
    this.kept.set(partitionKey(partition), { rest, next });
  }

  /** What is kept for a partition; it is kept no longer. */
  take(partition: TopicPartition): KeptFetch | undefined {
    const key = partitionKey(partition);
    this.seen.add(key);
    const kept = this.kept.get(key);
    if (kept === undefined) return undefined;
    this.kept.delete(key);
    this.bytes -= (kept.rest?.sizeBytes ?? 0) + (kept.next?.sizeBytes ?? 0);
    return kept;
  }
}
