// How `runtime start` stops, waits for another run, and is fenced.
import { expect, test } from "vitest";
import { Folder } from "./command.ts";
import { endlessJob } from "./sample-jobs.ts";

test.concurrent.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s finishes the batch in hand and exits with %i", async (signal, exitCode) => {
  using folder = new Folder({ "job.ts": endlessJob("ticks", 1_500) });
  const running = folder.begin("start", "job.ts", "--json", "--log-format", "json");
  await running.seen(/starts as a new job/);
  // Batch 0 only fixes where the job begins.
  await running.seen(/"batchId":0/);
  await inBatch(running, folder);
  running.signal(signal);
  await running.seen(/finishing batch \d+; press Ctrl-C again to abort/);
  const { code, stdout } = await running.done;
  expect(code).toBe(exitCode);
  expect(JSON.parse(stdout)).toMatchObject({ job: "ticks", reason: "stopped" });
  expect(new Set(await states(folder))).toEqual(new Set(["completed"]));
});

test.concurrent("a second signal gives the batch in hand up, and the next start runs it again", async () => {
  using folder = new Folder({ "job.ts": endlessJob("ticks", 20_000) });
  const running = folder.begin("start", "job.ts");
  await running.seen(/batch 0 complete/);
  await inBatch(running, folder);
  running.signal("SIGINT");
  await running.seen(/finishing batch 1/);
  running.signal("SIGINT");
  const { code, stderr } = await running.done;
  expect(code).toBe(130);
  expect(stderr).toContain("ticks: warning: aborted in batch 1: it runs again at the next start");
  expect(await states(folder)).toEqual(["planned", "completed"]);

  folder.write("job.ts", endlessJob("ticks", 1));
  const again = folder.begin("start", "job.ts");
  await again.seen(/batch 1 was not completed: it runs again over the same ranges/);
  await again.seen(/batch(es 1 to)? \d+ complete/);
  again.signal("SIGTERM");
  expect((await again.done).code).toBe(143);
});

test.concurrent("a second start says who runs the job and waits until that one stops", async () => {
  using folder = new Folder({ "job.ts": endlessJob("ticks", 1) });
  const first = folder.begin("start", "job.ts");
  await first.seen(/batch 0 complete/);
  const second = folder.begin("start", "job.ts");
  await second.seen(/pid \d+ on \S+ \(epoch \d+\) runs this job: waiting until it stops .*; --take-over takes it over/);
  first.signal("SIGINT");
  expect((await first.done).code).toBe(130);
  await second.seen(/goes on where it stood/);
  second.signal("SIGINT");
  const { code, stderr } = await second.done;
  expect(code).toBe(130);
  expect(stderr.match(/runs this job/g)).toHaveLength(1);
});

test.concurrent("--take-over does not wait, and the run that was taken over exits with 3", async () => {
  using folder = new Folder({ "job.ts": endlessJob("ticks", 1) });
  const first = folder.begin("start", "job.ts");
  await first.seen(/batch 0 complete/);
  const second = folder.begin("start", "job.ts", "--take-over");
  await second.seen(/goes on where it stood/);
  const { code, stderr } = await first.done;
  expect(code).toBe(3);
  expect(stderr).toMatch(/ticks: error: another run of "ticks" has taken over \(epoch \d+, \S+ pid \d+\)\nhint: /);
  second.signal("SIGINT");
  expect((await second.done).code).toBe(130);
});

test.concurrent("a start that waits for another run stops at the first signal", async () => {
  using folder = new Folder({ "job.ts": endlessJob("ticks", 1) });
  const first = folder.begin("start", "job.ts");
  await first.seen(/batch 0 complete/);
  const second = folder.begin("start", "job.ts");
  await second.seen(/runs this job/);
  second.signal("SIGTERM");
  expect((await second.done).code).toBe(143);
  first.signal("SIGINT");
  await first.done;
});

type Running = ReturnType<Folder["begin"]>;

/** Waits until batch 1 is planned, which the checkpoint shows. */
async function inBatch(running: Running, folder: Folder): Promise<void> {
  let isOver = false;
  void running.done.then(() => {
    isOver = true;
  });
  while (!isOver && (await states(folder)).length < 2);
}

async function states(folder: Folder): Promise<string[]> {
  const { stdout } = await folder.runtime("batches", "job.ts", "--json");
  return JSON.parse(stdout).map(({ state }: { state: string }) => state);
}
