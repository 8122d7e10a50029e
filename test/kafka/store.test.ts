// The checkpoint store contract on a real broker.
import { randomBytes } from "node:crypto";
import { beforeAll } from "vitest";
import { kafkaStore } from "../../checkpoints/kafka.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";

let bootstrap: string;
beforeAll(async () => {
  ({ bootstrap } = await kafkaServer());
}, serverStartTimeoutMs);

const topic = `checkpoints-${randomBytes(4).toString("hex")}`;

checkpointStoreContract({
  name: "Kafka",
  open: async () => kafkaStore({ brokers: [bootstrap], topic }),
  newJobName: () => `job_${randomBytes(5).toString("hex")}`,
});
