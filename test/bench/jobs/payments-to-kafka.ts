// W4: the rows of W1 into a topic, exactly once: rows, positions, plan and the group's offsets are one transaction.
import { filter, map } from "rxjs";
import { kafkaSink } from "../../../connectors/kafka/index.ts";
import { defineJob } from "../../../runtime/index.ts";
import { brokers, options, output, payments, value } from "./payment.ts";

// biome-ignore lint/style/noDefaultExport: the job of a job file is its default export
export default defineJob({
  ...options,
  source: payments(value),
  pipeline: (records$) =>
    records$.pipe(
      filter((record) => record.value.amount > 50),
      map(({ value: { id, user, amount } }) => ({ id, user, amount })),
    ),
  sink: kafkaSink({ brokers, topic: output, key: "user" }),
  checkpoint: `kafka://${brokers.join(",")}`,
});
