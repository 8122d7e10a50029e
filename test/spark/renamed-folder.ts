// A checkpoint folder of the fixtures whose files say other topic names: nothing else about it is changed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CheckpointFolder } from "../../connectors/spark/index.ts";

/** The folder `dir`, with `rename` applied to the text of what is read. */
export function renamedFolder(dir: string, rename: (text: string) => string): CheckpointFolder {
  return {
    url: dir,
    list: async (path) => orUndefined(() => readdirSync(join(dir, path))),
    read: async (path) => orUndefined(() => new TextEncoder().encode(rename(readFileSync(join(dir, path), "utf8")))),
  };
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
