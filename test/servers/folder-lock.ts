// One at a time, across processes: whoever holds the lock on a name may change what the name stands for. A lock is a
// numbered file that says who holds it. The highest number counts: while its holder lives, others wait; when the holder
// has died, the next number may be taken, which only one can create. A dead holder's file is never removed, or its
// number could be taken twice; a living one removes its own.
import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { identify, isAlive, type ProcessIdentity } from "./processes.ts";
import type { Say } from "./say.ts";
import { waitUntil } from "./wait-until.ts";

/** Downloads may be slow. */
const waitAtMostMs = 10 * 60_000;

/**
 * Waits until nobody else holds the lock on `path` (whose parent folder is made; `path` itself need not exist), and
 * takes it. Disposing of what is returned gives it back. Not reentrant.
 */
export async function lockFolder(path: string, say: Say, signal: AbortSignal): Promise<AsyncDisposable> {
  const self = identify(process.pid);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const claim = join(folder, `.claim-${randomBytes(8).toString("hex")}`);
  await writeFile(claim, JSON.stringify(self));
  try {
    let taken: string | undefined;
    let waitsFor: number | undefined;
    const take = async () => {
      const highest = await highestLock(path);
      if (highest.holder && isAlive(highest.holder)) {
        const { pid } = highest.holder;
        if (pid !== waitsFor && pid !== process.pid) say(`Waiting for process ${pid}, at work on ${path} …`);
        waitsFor = pid;
        return false;
      }
      taken = await linkUnlessThere(claim, lockName(path, highest.number + 1));
      return taken !== undefined;
    };
    await waitUntil(take, { what: `The lock on ${path}`, withinMs: waitAtMostMs, everyMs: 100, signal });
    return { [Symbol.asyncDispose]: () => rm(taken ?? claim, { force: true }) };
  } finally {
    await rm(claim, { force: true });
  }
}

function lockName(path: string, number: number): string {
  return `${path}.lock-${number}`;
}

async function linkUnlessThere(from: string, to: string): Promise<string | undefined> {
  try {
    await link(from, to);
    return to;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  }
}

/** The lock that counts; number 0 and no holder when there is none, or when it was given back just now. */
async function highestLock(path: string): Promise<{ number: number; holder?: ProcessIdentity }> {
  const beginning = `${basename(path)}.lock-`;
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(beginning));
  const number = Math.max(0, ...names.map((name) => Number(name.slice(beginning.length))));
  if (number === 0) return { number };
  try {
    return { number, holder: JSON.parse(await readFile(lockName(path, number), "utf8")) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { number: number - 1 };
    throw error;
  }
}
