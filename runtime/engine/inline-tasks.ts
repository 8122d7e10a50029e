// Runs a batch's tasks one after the other on the thread that asks, with the reader that is open there.
import { runTask, type TaskCounts } from "./run-task.ts";
import type { BatchRows, BatchTasks, TaskEngine, TasksDone } from "./task-engine.ts";

/** The engine of jobs that run on one thread. Keeps nothing, so that all of them share it. */
export const inlineTasks: TaskEngine = {
  run: runInline,
  async [Symbol.asyncDispose]() {},
};

async function runInline({ job, reader, batchId, tasks, signal }: BatchTasks, rows: BatchRows): Promise<TasksDone> {
  const { combine } = rows;
  const encoder = job.sink.encoder();
  const row = combine === undefined ? (value: unknown) => encoder.add(value) : (value: unknown) => combine.add(value);
  const done = { records: 0, tombstones: 0 };
  for (const task of tasks) {
    let from = task.range.fromOffset;
    const flush = async (offset: bigint) => {
      const encoded = encoder.take();
      if (encoded !== undefined) await rows.write(encoded);
      await combine?.flush();
      rows.progressed(offset - from);
      from = offset;
    };
    const counts: TaskCounts = await runTask({ job, reader, batchId, ...task, signal }, { row, flush });
    done.records += counts.records;
    done.tombstones += counts.tombstones;
  }
  return done;
}
