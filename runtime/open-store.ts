// The one place that puts parts together: finds a checkpoint store by its URL's scheme and loads it when it is needed.
import type { CheckpointStore } from "./contract/store.ts";
import { ConfigError } from "./errors.ts";

/**
 * The store that a job's `checkpoint` names; a store object is given back as it is.
 * @throws ConfigError no store has this scheme
 */
export async function openStore(
  checkpoint: string | CheckpointStore,
  { baseDir }: { readonly baseDir: string },
): Promise<CheckpointStore> {
  if (typeof checkpoint !== "string") return checkpoint;
  if (checkpoint.startsWith("file:")) {
    const { fileStore } = await import("../checkpoints/file.ts");
    return fileStore({ dir: checkpoint.slice("file:".length), baseDir });
  }
  if (checkpoint === "memory:") {
    const { memoryStore } = await import("../checkpoints/memory.ts");
    return memoryStore();
  }
  throw new ConfigError(`no checkpoint store for ${checkpoint}`, { hint: "file:DIR or memory:" });
}
