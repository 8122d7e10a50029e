// W3: the rows of W1 into a table, exactly once: rows, positions and plan are one transaction of the same database.
import { filter, map } from "rxjs";
import { postgresSink } from "../../../connectors/postgres/index.ts";
import { defineJob } from "../../../runtime/index.ts";
import { database, options, output, payments, value } from "./payment.ts";

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(value),
  pipeline: (records$) =>
    records$.pipe(
      filter((record) => record.value.amount > 50),
      map(({ value: { id, user, amount } }) => ({ id, user, amount })),
    ),
  sink: postgresSink({ url: database, table: output }),
  checkpoint: database,
});
