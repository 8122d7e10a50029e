// What each workload must come to, by counting the payments themselves: no engine and no broker takes part.
import { paymentOf } from "../payments-topic.ts";

/** Sums by which a result is compared with what it must be, such as rows, and the sum of their ids. */
export type Digest = Readonly<Record<string, number>>;

export interface Expected {
  /** Of all values, as JSON in UTF-8. */
  readonly bytes: Digest;
  /** Of the rows with an amount over 50. */
  readonly large: Digest;
  /** Of the amounts by user. */
  readonly sums: Digest;
  /** Of all keys; a user each. */
  readonly keyBytes: number;
}

/** Counts the first `records` payments. */
export function expectedOf(records: number): Expected {
  const large = { rows: 0, ids: 0, cents: 0, userChars: 0 };
  const users = new Set<string>();
  let [bytes, cents, keyBytes] = [0, 0, 0];
  for (let id = 0; id < records; id++) {
    const payment = paymentOf(id);
    const paymentCents = Math.round(payment.amount * 100);
    bytes += Buffer.byteLength(JSON.stringify(payment));
    keyBytes += payment.user.length;
    cents += paymentCents;
    users.add(payment.user);
    if (payment.amount <= 50) continue;
    large.rows++;
    large.ids += id;
    large.cents += paymentCents;
    large.userChars += payment.user.length;
  }
  return { bytes: { records, bytes }, large, sums: { users: users.size, cents }, keyBytes };
}

/** What is not as it must be, for people; undefined when all that is checked is. */
export function difference(
  expected: Digest,
  found: Digest,
  checked: readonly string[] = Object.keys(expected),
): string | undefined {
  const wrong = Object.entries(expected).filter(([what, value]) => checked.includes(what) && found[what] !== value);
  if (wrong.length === 0) return undefined;
  return wrong.map(([what, value]) => `${what} ${found[what] ?? "missing"} instead of ${value}`).join(", ");
}
