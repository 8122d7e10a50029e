// Fetches that are begun before anybody waits for them. What is wanted is collected until it is worth a request, or
// until somebody comes for a part of it: then one request a leader brings all of it, so that a thousand partitions with
// a few records each cost tens of requests, not a thousand. It never changes what is read: what does not come is
// fetched anew.
import type { Fetched, Fetcher, WantedFetch } from "./fetcher.ts";

/** Fewer, since the broker goes through all of them for each request. */
const MAX_PARTITIONS_IN_ONE = 200;

/** A fetch that is wanted, or under way. */
export interface EarlyFetch {
  readonly fromOffset: number;
  /** At most so much will come, unless a single batch is larger. */
  readonly sizeBytes: number;
  /** What it brings; undefined when that is nothing. Begins it if need be. Never rejects. */
  arrived(): Promise<Fetched | undefined>;
}

export interface EarlyFetchesOptions {
  readonly fetcher: Fetcher;
  /** So much is worth a request of its own. */
  readonly fetchMaxBytes: number;
  /** Ends what was begun. */
  readonly closing: AbortSignal;
}

/** The early fetches of a source. */
export class EarlyFetches {
  private readonly options: EarlyFetchesOptions;
  private wanted: WantedFetch[] = [];
  private wantedBytes = 0;
  /** What the next request brings. */
  private next = new Brought();

  constructor(options: EarlyFetchesOptions) {
    this.options = options;
  }

  /** Wants a fetch. It is begun at once, if what is wanted is enough for a request. */
  want(fetch: WantedFetch): EarlyFetch {
    const at = this.wanted.push(fetch) - 1;
    const { next } = this;
    this.wantedBytes += fetch.maxBytes;
    if (this.wantedBytes >= this.options.fetchMaxBytes || this.wanted.length >= MAX_PARTITIONS_IN_ONE) this.begin();
    return {
      fromOffset: fetch.fromOffset,
      sizeBytes: fetch.maxBytes,
      arrived: async () => {
        if (next === this.next) this.begin();
        return (await next.all)[at];
      },
    };
  }

  /** Begins all that is wanted. */
  begin(): void {
    if (this.wanted.length === 0) return;
    const { wanted, next } = this;
    const { fetcher, closing } = this.options;
    this.wanted = [];
    this.wantedBytes = 0;
    this.next = new Brought();
    next.all = fetcher.tryFetchAll(wanted, closing).catch(() => []);
  }
}

/** What one request brings, by the places in it; set when it is begun. */
class Brought {
  all: Promise<readonly (Fetched | undefined)[]> = Promise.resolve([]);
}
