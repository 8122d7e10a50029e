// What every checkpoint store must do, as tests: numbering, retries, fencing, pruning, names and heartbeats. A store's
// own test file calls `checkpointStoreContract` with a harness; the tests use names of jobs that nobody used before, so
// that they can run on a shared server, and never look at anything but the interface.
import { describe } from "vitest";
import { appending, readingBack, repeating } from "./checkpoint-store-appending.ts";
import type { CheckpointStoreHarness } from "./checkpoint-store-bench.ts";
import { beginning, fencing } from "./checkpoint-store-fencing.ts";
import { pruning, readingOn } from "./checkpoint-store-keeping.ts";
import { beating, naming } from "./checkpoint-store-places.ts";

export type { CheckpointStoreHarness } from "./checkpoint-store-bench.ts";

/** Declares the suite for one store. */
export function checkpointStoreContract(harness: CheckpointStoreHarness): void {
  describe(`the checkpoint store contract: ${harness.name}`, () => {
    for (const declare of [
      appending,
      repeating,
      readingBack,
      fencing,
      beginning,
      pruning,
      readingOn,
      naming,
      beating,
    ]) {
      declare(harness);
    }
  });
}
