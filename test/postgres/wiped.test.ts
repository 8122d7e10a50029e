// A Postgres that has lost a job's entries: the job is refused with what to type, and never begins anew in silence.
import { map } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { memorySink, memorySource } from "../../connectors/memory/index.ts";
import { CheckpointMissingError, defineJob, type JobEvent, runJob } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

/** A job that copies what its source gets. */
function newJob() {
  const name = newName("wiped");
  const source = memorySource<number>({ records: [1, 2, 3] });
  const sink = memorySink<number>();
  const job = defineJob({
    name,
    source,
    pipeline: (records$) => records$.pipe(map(({ value }) => value)),
    sink,
    checkpoint: database.url,
    trigger: "available-now",
  });
  const forget = (...tables: string[]) =>
    Promise.all(tables.map((table) => database.query(`delete from tidemark.${table} where job = '${name}'`)));
  return { name, job, source, sink, forget };
}

it.each([["entries"], ["entries, logs"], ["logs"]])("a start finds that the %s are gone", async (tables) => {
  const { job, sink, forget } = newJob();
  await runJob(job);
  await forget(...tables.split(", "));
  const refused = await runJob(job).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CheckpointMissingError);
  expect(sink.rows).toEqual([1, 2, 3]);
  // The hint is typed as it stands.
  const [, statements = ""] = /type in psql: (.*)$/.exec((refused as CheckpointMissingError).hint ?? "") ?? [];
  for (const statement of statements.split(";").filter((each) => each.trim() !== "")) await database.query(statement);
  await runJob(job);
  expect(sink.rows).toEqual([1, 2, 3, 1, 2, 3]);
});

it.each([["entries, logs"], ["entries, logs, offsets"]])("a running job ends when the %s are gone", async (tables) => {
  const { job, source, sink, forget } = newJob();
  let isForgotten: Promise<unknown> | undefined;
  const onEvent = (event: JobEvent) => {
    if (event.type !== "idle" || isForgotten !== undefined) return;
    isForgotten = forget(...tables.split(", ")).then(() => source.append([4]));
  };
  await expect(runJob(job, { trigger: "continuous", onEvent })).rejects.toBeInstanceOf(CheckpointMissingError);
  expect(sink.rows).toEqual([1, 2, 3]);
});
