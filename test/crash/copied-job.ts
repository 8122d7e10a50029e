// The job of the crash tests, copied into a test's folder as its job.ts: in/ → filter and map → out/, the checkpoint
// beside them. On stderr it says where it is, one line each: "@task 7 0 100 200", "@commit 7", "@committed 7". While a
// file hold-task, hold-commit or hold-committed lies in the folder, it waits there.
import { existsSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { concatMap, filter, map, mergeWith, NEVER, type Observable } from "rxjs";
import { type BatchWrite, defineJob, json, mapAsync, type Sink, type SourceRecord } from "tidemark";
import { fileSink, fileSource } from "tidemark/connectors/files";
import type { Hold, JobSettings, Line } from "./job-folder.ts";

const LOOK_EVERY_MS = 2;
const here = import.meta.dirname;
const settings: JobSettings = JSON.parse(readFileSync(join(here, "settings.json"), "utf8"));

/** Says that the job is at this point, and waits there as long as it is told to. */
async function point(hold: Hold, what: string): Promise<void> {
  writeSync(2, `@${hold} ${what}\n`);
  while (existsSync(join(here, `hold-${hold}`))) await delay(LOOK_EVERY_MS);
}

/** A sink that says when a batch is about to be committed and when it has been. */
function watched(sink: Sink<unknown>): Sink<unknown> {
  return {
    ...sink,
    async open(context, signal) {
      const writer = await sink.open(context, signal);
      return {
        async begin(batch) {
          const write = await writer.begin(batch);
          return write === "already-written" ? write : watchedWrite(write, batch.batchId);
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  };
}

function watchedWrite(write: BatchWrite, batchId: number): BatchWrite {
  return {
    write: (rows) => write.write(rows),
    async commit() {
      await point("commit", `${batchId}`);
      await write.commit();
      await point("committed", `${batchId}`);
    },
    [Symbol.asyncDispose]: () => write[Symbol.asyncDispose](),
  };
}

/** Holds back the first record of a task; the pipeline as it was when nothing is to be held. */
function heldAtFirst(records$: Observable<SourceRecord<Line, null>>, what: string) {
  if (!existsSync(join(here, "hold-task"))) return records$;
  let isFirst = true;
  const hold = async (record: SourceRecord<Line, null>) => {
    if (isFirst) await point("task", what);
    isFirst = false;
    return record;
  };
  return records$.pipe(mapAsync({ concurrency: 1 }, hold));
}

/** What keeps the pipeline from completing, if a test asks for it. */
function stuck(rows$: Observable<unknown>): Observable<unknown> {
  if (settings.stuck === "concatMap") return rows$.pipe(concatMap(() => NEVER));
  return settings.stuck === "mergeWith" ? rows$.pipe(mergeWith(NEVER)) : rows$;
}

// biome-ignore lint/style/noDefaultExport: a job file has one
export default defineJob({
  name: "copied",
  source: fileSource({
    dir: "in",
    value: json<Line>(),
    ...(settings.endingOffsets === undefined ? {} : { endingOffsets: { in: settings.endingOffsets } }),
  }),
  pipeline: (records$, { batchId, partition, fromOffset, untilOffset }) => {
    const what = `${batchId} ${partition} ${fromOffset} ${untilOffset}`;
    writeSync(2, `@task ${what}\n`);
    const rows$ = heldAtFirst(records$, what).pipe(
      filter(({ value }) => value.n % 10 !== 9),
      map(({ value: { id, p, n } }) => ({ id, p, n })),
    );
    return stuck(rows$);
  },
  sink: watched(fileSink({ dir: "out" })),
  checkpoint: "file:checkpoint",
  ...settings.options,
});
