// A process that is frozen in mid-batch while another takes over and completes the job, on real servers: when it wakes
// up, it exits with 3, and there is no row more than before, neither in Postgres nor in Kafka.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaServer, postgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { overtaken } from "./kafka-scenarios.ts";
import { KafkaStage, routes } from "./kafka-stage.ts";

/** Eight batches, each large enough that the sinks have sent rows, in an open transaction, before the commit. */
const RECORDS = 40_000;

let stage: KafkaStage;
beforeAll(async () => {
  stage = await KafkaStage.open(await kafkaServer(), await postgresServer(), { records: RECORDS });
}, serverStartTimeoutMs);
afterAll(() => stage[Symbol.asyncDispose]());

describe.each(routes)("$name", (route) => {
  it.each(["commit", "committed"] as const)(
    'writes nothing more when it was frozen at "%s"',
    async (moment) => {
      expect(await overtaken(moment, await stage.newJob(route, { maxOffsetsPerBatch: 5_000 }))).toEqual([]);
    },
    120_000,
  );
});
