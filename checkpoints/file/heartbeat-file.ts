// The running writer's sign of life, DIR/<job>/heartbeat.json. It is advice: it is replaced as a whole by a rename,
// never synced, and whatever cannot be read as a heartbeat counts as none.
import { randomBytes } from "node:crypto";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Heartbeat } from "../../runtime/index.ts";
import { decodeHeartbeat, encodeHeartbeat, HEARTBEAT_MAX_BYTES } from "../heartbeat-json.ts";
import { errorCode, nothingHappened } from "./disk-errors.ts";
import { TEMPORARY_PREFIX } from "./log-folder.ts";

const FILE_NAME = "heartbeat.json";

/** The last heartbeat of a job; undefined when there is none or it is unreadable. */
export async function readHeartbeat(jobFolder: string): Promise<Heartbeat | undefined> {
  try {
    return decodeHeartbeat(await readAtMost(join(jobFolder, FILE_NAME), HEARTBEAT_MAX_BYTES));
  } catch {
    return undefined;
  }
}

/** Replaces the heartbeat unless a newer epoch's is there. */
export async function writeHeartbeat(jobFolder: string, heartbeat: Heartbeat): Promise<void> {
  const last = await readHeartbeat(jobFolder);
  if (last !== undefined && last.epoch > heartbeat.epoch) return;
  const path = join(jobFolder, FILE_NAME);
  const temporary = join(jobFolder, `${TEMPORARY_PREFIX}${randomBytes(16).toString("hex")}`);
  try {
    await writeFile(temporary, encodeHeartbeat(heartbeat), { flag: "wx", mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    // Whoever takes over sweeps the temporaries of those before it: then this sign of life is out of date.
    if (errorCode(error) !== "ENOENT") throw nothingHappened(error, "write", path);
  }
}

async function readAtMost(path: string, maxBytes: number): Promise<string> {
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(maxBytes + 1), position: 0 });
    if (bytesRead > maxBytes) throw new RangeError(`${path} is too large for a heartbeat`);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
