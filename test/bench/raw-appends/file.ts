// A file: write, fsync, rename, fsync of the folder, which stays open.
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RawAppend } from "../raw-append.ts";

/** `dir` is made. */
export async function rawFileAppend(dir: string): Promise<RawAppend> {
  await mkdir(dir, { recursive: true });
  const folder = await open(dir, "r");
  return {
    async append(seq, bytes) {
      const temporary = join(dir, `.tmp-${seq}`);
      await writeFile(temporary, bytes, { flag: "wx", flush: true });
      await rename(temporary, join(dir, `${seq}`));
      await folder.sync();
    },
    [Symbol.asyncDispose]: () => folder.close(),
  };
}
