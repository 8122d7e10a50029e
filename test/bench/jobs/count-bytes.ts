// W0: reads all values and counts their bytes.
import { reduce } from "rxjs";
import { bytes, defineJob } from "../../../runtime/index.ts";
import { options, payments, Totals } from "./payment.ts";

const zero = () => ({ records: 0, bytes: 0 });
const totals = new Totals(zero());
export const { digest } = totals;

function add(sums: ReturnType<typeof zero>, { value }: { readonly value: Uint8Array }) {
  sums.records++;
  sums.bytes += value.byteLength;
  return sums;
}

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(bytes()),
  pipeline: (records$) => records$.pipe(reduce(add, zero())),
  sink: (rows) => {
    for (const row of rows) totals.add(row);
  },
});
