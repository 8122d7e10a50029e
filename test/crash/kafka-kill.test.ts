// The promise of the whole, on real servers: a job between Kafka and Postgres is killed again and again, and readers
// that share nothing with it find each record's row once and in order.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { kafkaServer, postgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { JobProcess } from "./job-process.ts";
import { PARTITIONS } from "./kafka-rows.ts";
import { KafkaStage, routes } from "./kafka-stage.ts";
import { Plans } from "./plans.ts";

const RECORDS = 200_000;
const KILLS = 20;
/** About as long as it takes from its start to its first batch. */
const STARTS_WITHIN_MS = 1_000;
/** About as long as a batch takes. */
const BATCH_MS = 40;
const SAYS_WITHIN_MS = 60_000;
const DONE = { code: 0, signal: null };

let stage: KafkaStage;
beforeAll(async () => {
  stage = await KafkaStage.open(await kafkaServer(), await postgresServer(), { records: RECORDS });
}, serverStartTimeoutMs);
afterAll(() => stage[Symbol.asyncDispose]());

describe.each(routes)("$name", (route) => {
  it(`has each of ${RECORDS} records once and in order after ${KILLS} kills at random moments`, async () => {
    const { seed, random } = seedOf("kafka-kill");
    const plans = new Plans();
    try {
      // Small and slow enough that a quick machine has not done it all before the last kill.
      const job = await stage.newJob(route, { maxOffsetsPerBatch: 1_500, pauseMs: 15 });
      for (let kill = 0; kill < KILLS; kill++) {
        await using killed = job.start();
        await untilRandomMoment(killed, random);
        await killed.kill();
        expect(plans.add(killed.stderr), `after kill ${kill}`).toEqual([]);
      }
      await using last = job.start();
      expect(await last.ended(), last.stderr).toEqual(DONE);
      expect([...plans.add(last.stderr), ...(await job.problems())]).toEqual([]);
      // Else the kills came at moments at which nothing can go wrong.
      expect(plans.batchesThatRanAgain).toBeGreaterThanOrEqual(3);
    } catch (error) {
      throw new Error(`TEST_SEED=${seed} npx vitest run test/crash/kafka-kill.test.ts`, { cause: error });
    }
  }, 300_000);
});

/**
 * Some moment while it starts, or soon after it has begun a task, is about to commit, or has committed, in its first
 * batch or its second. Most of these delays are short: between a commit and its entry there is about a millisecond.
 */
async function untilRandomMoment(job: JobProcess, random: () => number): Promise<void> {
  const moment = [undefined, "@task", "@task", "@commit ", "@committed"][numberBelow(random, 5)];
  if (moment === undefined) return delay(random() * STARTS_WITHIN_MS);
  const times = 1 + numberBelow(random, moment === "@task" ? 2 * PARTITIONS : 2);
  await job.says(new RegExp(`(?:${moment}[^]*){${times}}`), SAYS_WITHIN_MS);
  await delay(random() ** 3 * BATCH_MS);
}
