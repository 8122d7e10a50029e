// Makes the names in a folder durable: a file's own fsync does not cover the name that it was given (fsync(2)).
import { open } from "node:fs/promises";

/** Waits until everything that was linked, renamed or made in `folder` so far would survive a loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
