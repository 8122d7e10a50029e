// Servers that go away in mid-run, on servers of this file's own: the job waits, says so, and goes on when they are
// back; no row is lost or doubled.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seedOf } from "../contracts/random.ts";
import { type OwnServer, ownKafkaServer, ownPostgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import type { JobProcess } from "./job-process.ts";
import { KafkaStage, routes } from "./kafka-stage.ts";

const RECORDS = 30_000;
/** A hundred and fifty, which last for seconds. */
const SMALL_BATCHES = { maxOffsetsPerBatch: 200, pauseMs: 25 };
/** A dozen small batches. */
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
    const job = await stage.newJob(route, { maxOffsetsPerBatch: 2_000 });
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

  it("has each row once when all servers that it needs are killed at random moments, one after the other", async () => {
    const { seed, random } = seedOf("kafka-restart");
    try {
      const job = await stage.newJob(route, SMALL_BATCHES);
      await using running = job.start();
      await running.says(/^@committed 3/m, SAYS_WITHIN_MS);
      const usesPostgres = route.to === "postgres" || route.checkpoint === "postgres";
      for (const server of usesPostgres ? [kafka, postgres] : [kafka]) {
        await delay(random() * SOON_MS);
        await server.kill();
        const said = running.stderr.length;
        await saysNext(running, WAITS, said);
        await server.start();
        await saysNext(running, /goes on \(epoch/, said);
      }
      expect(await running.ended(), running.stderr).toEqual(DONE);
      expect(await job.problems()).toEqual([]);
    } catch (error) {
      throw new Error(`TEST_SEED=${seed} npx vitest run test/crash/kafka-restart.test.ts`, { cause: error });
    }
  }, 180_000);
});

/** Waits until the job has said this after its first `said` characters. */
async function saysNext(job: JobProcess, what: RegExp, said: number): Promise<void> {
  const signal = AbortSignal.timeout(2 * SAYS_WITHIN_MS);
  const isSo = () => {
    if (job.hasEnded) throw new Error(`it ended before it said ${what}:\n${job.stderr}`);
    return what.test(job.stderr.slice(said));
  };
  await waitUntil(isSo, { what: `it says ${what}`, withinMs: SAYS_WITHIN_MS, signal });
}
