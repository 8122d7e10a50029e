// W0: reads all values and counts their bytes.
import { map, reduce } from "rxjs";
import { bytes, defineJob } from "../../../runtime/index.ts";
import { options, payments, Totals } from "./payment.ts";

const totals = new Totals({ records: 0, bytes: 0 });
export const { digest } = totals;

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(bytes()),
  pipeline: (records$) =>
    records$.pipe(
      map(({ value }) => value.byteLength),
      reduce((sums, length) => ({ records: sums.records + 1, bytes: sums.bytes + length }), { records: 0, bytes: 0 }),
    ),
  sink: (rows) => {
    for (const row of rows) totals.add(row);
  },
});
