// Golden vectors and properties of how a batch's limit is shared among partitions.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { shareLimit } from "../../runtime/plan/share-limit.ts";

const share = (lags: number[], limit: number, turn = 0) => shareLimit(lags.map(BigInt), limit, turn).map(Number);

describe("sharing a batch's limit among partitions", () => {
  test("limit 10 over lags 101, 11 and 1 gives 8, 1 and 1, then 9, 1 and 0", () => {
    expect(share([101, 11, 1], 10)).toEqual([8, 1, 1]);
    expect(share([93, 10, 0], 10, 1)).toEqual([9, 1, 0]);
  });

  test("gives everything when the lags fit the limit", () => {
    expect(share([3, 0, 4], 7)).toEqual([3, 0, 4]);
    expect(share([], 7)).toEqual([]);
  });

  test("gives equal lags equal shares, and what is left over to the first ones", () => {
    expect(share([100, 100, 100], 10)).toEqual([4, 3, 3]);
  });

  test("goes round when there are more partitions than the limit allows", () => {
    expect(share([5, 5, 5, 5, 5], 2, 0)).toEqual([1, 1, 0, 0, 0]);
    expect(share([5, 5, 5, 5, 5], 2, 1)).toEqual([0, 0, 1, 1, 0]);
    expect(share([5, 5, 5, 5, 5], 2, 2)).toEqual([1, 0, 0, 0, 1]);
  });

  test("takes offsets beyond 2^53", () => {
    const shares = shareLimit([2n ** 60n, 2n ** 60n], 10, 0);
    expect(shares).toEqual([5n, 5n]);
  });

  test("never exceeds the limit or a lag, wastes nothing, and starves no partition", () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: 10_000n }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 500 }),
        fc.nat(1000),
        (lags, limit, turn) => {
          const shares = shareLimit(lags, limit, turn);
          const total = lags.reduce((a, b) => a + b, 0n);
          const given = shares.reduce((a, b) => a + b, 0n);
          expect(given).toBe(total < BigInt(limit) ? total : BigInt(limit));
          shares.forEach((amount, index) => {
            expect(amount >= 0n && amount <= (lags[index] ?? 0n)).toBe(true);
          });
          const waiting = lags.filter((lag) => lag > 0n).length;
          if (waiting <= limit) lags.forEach((lag, i) => void expect(lag === 0n || (shares[i] ?? 0n) > 0n).toBe(true));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("every partition has its turn when each batch can serve only some", () => {
    const served = new Set<number>();
    for (let turn = 0; turn < 7; turn++) {
      share(new Array(20).fill(9), 3, turn).forEach((amount, index) => {
        if (amount > 0) served.add(index);
      });
    }
    expect(served.size).toBe(20);
  });
});
