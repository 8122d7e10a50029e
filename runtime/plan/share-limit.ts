// Shares a batch's limit among partitions in proportion to their lag, so that all finish catching up at about the
// same time and none starves.

/**
 * How many offsets each partition gets: never more than its lag, at most `limit` in all, all of it when the lags are
 * larger. Every partition with a lag gets at least 1 while the limit allows; when there are more such partitions than
 * `limit`, it goes round, beginning at partition `turn` × limit, so that each has its turn.
 * @param lags offsets waiting in each partition, ≥ 0
 * @param limit ≥ 1
 * @param turn counts batches: the batchId
 */
export function shareLimit(lags: readonly bigint[], limit: number, turn: number): bigint[] {
  const total = lags.reduce((sum, lag) => sum + lag, 0n);
  const whole = BigInt(limit);
  if (total <= whole) return [...lags];
  const waiting = lags.flatMap((lag, index) => (lag > 0n ? [index] : []));
  if (waiting.length >= limit) return oneEach(lags.length, waiting, limit, turn);

  const shares = lags.map((lag) => atLeastOne((whole * lag) / total, lag));
  let left = whole - shares.reduce((sum, share) => sum + share, 0n);
  // What rounding down left over goes to the largest remainders; what "at least 1" took too much comes off the
  // largest shares.
  const byRemainder = [...waiting].sort((a, b) =>
    compare((whole * at(lags, b)) % total, (whole * at(lags, a)) % total),
  );
  for (const index of byRemainder) {
    if (left > 0n && at(shares, index) < at(lags, index)) {
      shares[index] = at(shares, index) + 1n;
      left -= 1n;
    }
  }
  while (left < 0n) {
    const largest = waiting.reduce((best, index) => (at(shares, index) > at(shares, best) ? index : best));
    shares[largest] = at(shares, largest) - 1n;
    left += 1n;
  }
  return shares;
}

function oneEach(length: number, waiting: readonly number[], limit: number, turn: number): bigint[] {
  const shares = new Array<bigint>(length).fill(0n);
  for (let step = 0; step < limit; step++) {
    const index = waiting[(turn * limit + step) % waiting.length];
    if (index !== undefined) shares[index] = 1n;
  }
  return shares;
}

function atLeastOne(share: bigint, lag: bigint): bigint {
  return share === 0n && lag > 0n ? 1n : share;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function at(values: readonly bigint[], index: number): bigint {
  return values[index] ?? 0n;
}
