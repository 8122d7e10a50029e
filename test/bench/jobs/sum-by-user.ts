// W2: per batch, the sum of amounts by user. Each task sums up its own part; `combine` joins the parts.
import { map, mergeMap, reduce } from "rxjs";
import { defineJob } from "../../../runtime/index.ts";
import { options, payments, Totals, value } from "./payment.ts";

interface UserSum {
  readonly user: string;
  readonly amount: number;
}

const totals = new Totals({ cents: 0 });
const users = new Set<string>();
export const digest = {
  get cents() {
    return totals.digest.cents;
  },
  get users() {
    return users.size;
  },
};

function add(sums: Map<string, number>, { user, amount }: UserSum): Map<string, number> {
  return sums.set(user, (sums.get(user) ?? 0) + amount);
}

function* sumsOf(sums: Map<string, number>): Iterable<UserSum> {
  for (const [user, amount] of sums) yield { user, amount };
}

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(value),
  pipeline: (records$) =>
    records$.pipe(
      map((record) => record.value),
      reduce(add, new Map<string, number>()),
      mergeMap(sumsOf),
    ),
  combine: (rows$) => rows$.pipe(reduce(add, new Map<string, number>()), mergeMap(sumsOf)),
  sink: (rows) => {
    for (const { user, amount } of rows) {
      users.add(user);
      totals.add({ cents: Math.round(amount * 100) });
    }
  },
});
