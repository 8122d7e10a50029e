// W0 without a copy of any value: the deserializer sees each where it lies, and keeps its length alone.
import { reduce } from "rxjs";
import { defineJob } from "../../../runtime/index.ts";
import { options, payments, Totals } from "./payment.ts";

const zero = () => ({ records: 0, bytes: 0 });
const totals = new Totals(zero());
export const { digest } = totals;
const length = { deserialize: (bytes: Uint8Array) => bytes.byteLength };

function add(sums: ReturnType<typeof zero>, { value }: { readonly value: number }) {
  sums.records++;
  sums.bytes += value;
  return sums;
}

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(length),
  pipeline: (records$) => records$.pipe(reduce(add, zero())),
  sink: (rows) => {
    for (const row of rows) totals.add(row);
  },
});
