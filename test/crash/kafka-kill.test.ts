// The promise of the whole, on real servers: a job between Kafka and Postgres is killed again and again, and readers
// that share nothing with it find each record's row once and in order.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { kafkaServer, postgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { JobProcess } from "./job-process.ts";
import { PARTITIONS } from "./kafka-rows.ts";
import { KafkaStage, type Pace, type Route, routes } from "./kafka-stage.ts";
import { Plans } from "./plans.ts";

const RECORDS = 200_000;
const KILLS = 20;
const NIGHTLY = process.env["NIGHTLY"] !== undefined;
const KILLS_ON_THREADS = NIGHTLY ? 10 : 4;
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
    // Small and slow enough that a quick machine has not done it all before the last kill.
    await killAgainAndAgain(route, { kills: KILLS, pace: { maxOffsetsPerBatch: 1_500, pauseMs: 15 } });
  }, 300_000);
});

describe.each(NIGHTLY ? routes : routes.slice(0, 1))("on two threads, $name", (route) => {
  it(`has each of ${RECORDS} records once and in order after ${KILLS_ON_THREADS} kills`, async () => {
    const pace = { maxOffsetsPerBatch: 8_000, pauseMs: 15 };
    await killAgainAndAgain(route, { kills: KILLS_ON_THREADS, pace, args: ["--threads", "2"] });
  }, 300_000);
});

interface HowToKill {
  readonly kills: number;
  readonly pace: Pace;
  readonly args?: readonly string[];
}

async function killAgainAndAgain(route: Route, { kills, pace, args = [] }: HowToKill): Promise<void> {
  const { seed, random } = seedOf("kafka-kill");
  const plans = new Plans();
  try {
    const job = await stage.newJob(route, pace);
    for (let kill = 0; kill < kills; kill++) {
      await using killed = job.start({ args });
      await untilRandomMoment(killed, random);
      await killed.kill();
      expect(plans.add(killed.stderr), `after kill ${kill}`).toEqual([]);
    }
    await using last = job.start({ args });
    expect(await last.ended(), last.stderr).toEqual(DONE);
    expect([...plans.add(last.stderr), ...(await job.problems())]).toEqual([]);
    // Else the kills came at moments at which nothing can go wrong, as a few may by chance.
    expect(plans.batchesThatRanAgain).toBeGreaterThanOrEqual(Math.floor(kills / 6));
  } catch (error) {
    throw new Error(`TEST_SEED=${seed} npx vitest run test/crash/kafka-kill.test.ts`, { cause: error });
  }
}

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
