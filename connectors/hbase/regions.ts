// Which server holds which part of a table, as it was last seen: a cache of hbase:meta. What it says may be out of
// date; whoever finds that out forgets the region here, and looks again. hbase:meta itself is looked up in ZooKeeper.
import type { ServerAddress } from "./rpc-connection.ts";

export interface Region {
  readonly name: Uint8Array;
  /** Inclusive; empty: the table's beginning. */
  readonly start: Uint8Array;
  /** Exclusive; empty: the table's end. */
  readonly end: Uint8Array;
  readonly server: ServerAddress;
}

/** The known regions of one table. */
export class KnownRegions {
  /** By start, not overlapping. */
  #regions: readonly Region[] = [];

  find(row: Uint8Array): Region | undefined {
    let [low, high] = [0, this.#regions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const region = this.#regions[middle];
      if (region !== undefined && Buffer.compare(region.start, row) <= 0) low = middle + 1;
      else high = middle;
    }
    const candidate = this.#regions[low - 1];
    return candidate !== undefined && holds(candidate, row) ? candidate : undefined;
  }

  /** Regions that were here before a split or a merge make room. */
  add(region: Region): void {
    const others = this.#regions.filter((other) => !overlap(other, region));
    this.#regions = [...others, region].sort((a, b) => Buffer.compare(a.start, b.start));
  }

  forget(region: Region): void {
    this.#regions = this.#regions.filter((other) => other !== region);
  }
}

/** Whether the row belongs to the region. */
function holds({ start, end }: Region, row: Uint8Array): boolean {
  return Buffer.compare(start, row) <= 0 && (end.length === 0 || Buffer.compare(row, end) < 0);
}

function overlap(one: Region, other: Region): boolean {
  const isBefore = (a: Region, b: Region) => a.end.length > 0 && Buffer.compare(a.end, b.start) <= 0;
  return !isBefore(one, other) && !isBefore(other, one);
}
