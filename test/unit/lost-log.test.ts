// Whether a job without a log is new, where its source shows positions of the job.
import { expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { checkNoLogIsLost } from "../../runtime/engine/lost-log.ts";
import { CheckpointMissingError, type CheckpointStore, type SourceReader } from "../../runtime/index.ts";
import { next } from "../contracts/checkpoint-store-bench.ts";

const { signal } = new AbortController();
const shownBy = { lineageId: "l1", where: "the group", toForget: "delete it" };

/** A store that is to be kept, and a reader that shows positions of the job after `meanwhile`. */
async function lost(meanwhile: (store: CheckpointStore) => Promise<unknown> = async () => {}) {
  const store: CheckpointStore = Object.assign(memoryStore(), { isVolatile: false });
  const source = memorySource({ records: [1] });
  const opened = await source.open({ jobName: "job", baseDir: "/", warn: () => {} }, signal);
  const shown = async () => {
    await meanwhile(store);
    return shownBy;
  };
  const reader: SourceReader = Object.assign(opened, { shown });
  return checkNoLogIsLost(store, reader, "job", signal);
}

it("is not new when there are positions of it", async () => {
  await expect(lost()).rejects.toThrow(CheckpointMissingError);
  await expect(lost()).rejects.toMatchObject({ hint: expect.stringContaining("To begin anew: delete it") });
});

it("is not lost when another run of the new job began it while this one looked", async () => {
  await lost((store) => store.takeOver("job", next("begin"), signal));
});
