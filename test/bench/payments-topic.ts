// A topic of payments, about 100 bytes of JSON each, the same at every run.
import { randomBytes } from "node:crypto";
import { Admin } from "@platformatic/kafka";
import { map } from "rxjs";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, runJob } from "../../runtime/index.ts";

const PARTITIONS = 4;

export interface Payment {
  readonly id: number;
  readonly user: string;
  readonly amount: number;
}

/** A topic with payments, and an empty one for what is made of them; disposing of it deletes both. */
export interface PaymentsTopic extends AsyncDisposable {
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
}

/** Makes the topics and fills the first. */
export async function paymentsTopic(brokers: readonly string[], records: number): Promise<PaymentsTopic> {
  const input = `bench-${randomBytes(4).toString("hex")}`;
  const topics = [input, `${input}-out`];
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: [...brokers] });
  await admin.createTopics({ topics, partitions: PARTITIONS, replicas: 1 });
  await runJob(
    defineJob({
      name: input,
      source: memorySource({ records: Array.from({ length: records }, (_, id) => id) }),
      pipeline: (records$) => records$.pipe(map(({ value: id }) => paymentOf(id))),
      sink: kafkaSink({ brokers: [...brokers], topic: input, key: "user" }),
      checkpoint: "memory:",
      trigger: "available-now",
      maxOffsetsPerBatch: 100_000,
    }),
  );
  return {
    brokers,
    input,
    output: `${input}-out`,
    async [Symbol.asyncDispose]() {
      await admin.deleteTopics({ topics });
      await admin.close();
    },
  };
}

/** The payment with this number; `ts` grows by a millisecond each. */
export function paymentOf(id: number) {
  const amount = ((id * 31) % 100_000) / 100;
  const user = `u${(id * 7919) % 100_000}`;
  return { id, user, amount, ts: 1_700_000_000_000 + id, status: "new", item: `sku-${id % 10_000}`, q: id % 7 };
}
