// Servers that go away in mid-run, on servers of this file's own: the job waits, says so, and goes on when they are
// back; no row is lost or doubled.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seedOf } from "../contracts/random.ts";
import { type OwnServer, ownKafkaServer, ownPostgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { KafkaStage, routes } from "./kafka-stage.ts";

const RECORDS = 40_000;
const OFFSETS_PER_BATCH = 2_000;
const SMALL_BATCH = 200;
/** About as long as ten small batches take. */
const SOON_MS = 300;
const SAYS_WITHIN_MS = 90_000;
const WAITS = /trying again in [\d.]+ m?s \(attempt \d+\)/;
const DONE = { code: 0, signal: null };

let kafka: OwnServer;
let postgres: OwnServer;
let stage: KafkaStage;
beforeAll(async () => {
  const servers = await Promise.all([ownKafkaServer(), ownPostgresServer()]);
  [kafka, postgres] = servers;
  stage = await KafkaStage.open(...servers, { records: RECORDS });
}, serverStartTimeoutMs);
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await Promise.all([kafka[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
}, 60_000);

describe.each(routes)("$name", (route) => {
  it("waits for the server of its rows, which went away before the commit, and goes on", async () => {
    const server = route.to === "postgres" ? postgres : kafka;
    const job = await stage.newJob(route, OFFSETS_PER_BATCH);
    job.hold("commit");
    await using running = job.start();
    await running.says(/^@commit 0/m, SAYS_WITHIN_MS);
    await server.stop();
    job.release("commit");
    await running.says(WAITS, SAYS_WITHIN_MS);
    await server.start();
    expect(await running.ended(), running.stderr).toEqual(DONE);
    expect(running.stderr).toMatch(/batch 0 was not completed: it runs again over the same ranges/);
    expect(await job.problems()).toEqual([]);
  }, 180_000);

  it("has each row once when both servers are restarted, one killed, at random moments", async () => {
    const { seed, random } = seedOf("kafka-restart");
    const job = await stage.newJob(route, SMALL_BATCH);
    await using running = job.start();
    await running.says(/^@committed 3/m, SAYS_WITHIN_MS);
    await delay(random() * SOON_MS);
    await postgres.kill();
    await postgres.start();
    await delay(random() * SOON_MS);
    await kafka.restart();
    const again = `TEST_SEED=${seed} npx vitest run test/crash/kafka-restart.test.ts`;
    expect(await running.ended(), `${again}\n${running.stderr}`).toEqual(DONE);
    expect(running.stderr, again).toMatch(WAITS);
    expect(await job.problems(), again).toEqual([]);
  }, 180_000);
});
