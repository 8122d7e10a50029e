// W1: decodes JSON, keeps amounts over 50, projects three fields, and sums up what is left.
import { filter, map, reduce } from "rxjs";
import { defineJob } from "../../../runtime/index.ts";
import { options, type Payment, payments, Totals, value } from "./payment.ts";

const zero = () => ({ rows: 0, ids: 0, cents: 0, userChars: 0 });
const totals = new Totals(zero());
export const { digest } = totals;

function add(sums: ReturnType<typeof zero>, { id, user, amount }: Payment) {
  sums.rows++;
  sums.ids += id;
  sums.cents += Math.round(amount * 100);
  sums.userChars += user.length;
  return sums;
}

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(value),
  pipeline: (records$) =>
    records$.pipe(
      filter((record) => record.value.amount > 50),
      map(({ value: { id, user, amount } }) => ({ id, user, amount })),
      reduce(add, zero()),
    ),
  sink: (rows) => {
    for (const row of rows) totals.add(row);
  },
});
