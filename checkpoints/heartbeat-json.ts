// A heartbeat as JSON, for the stores that keep it as text. It is advice: whatever cannot be read as one counts as
// none.
import type { Heartbeat } from "../runtime/index.ts";

/** A text that is longer is none. */
export const HEARTBEAT_MAX_BYTES = 64 * 1024;

/** One line. */
export function encodeHeartbeat(heartbeat: Heartbeat): string {
  return `${JSON.stringify({ ...heartbeat, epoch: heartbeat.epoch.toString() })}\n`;
}

/** The heartbeat that a text is, or undefined. */
export function decodeHeartbeat(text: string): Heartbeat | undefined {
  if (text.length > HEARTBEAT_MAX_BYTES) return undefined;
  try {
    return fromJson(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function fromJson(json: unknown): Heartbeat | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { epoch, beat, atMs, everyMs, host, pid, processStart, stopped, current } = json as Record<
    keyof Heartbeat,
    unknown
  >;
  if (typeof epoch !== "string" || !/^\d{1,16}$/.test(epoch)) return undefined;
  if (typeof beat !== "number" || typeof atMs !== "number" || typeof everyMs !== "number") return undefined;
  if (typeof host !== "string" || typeof pid !== "number" || typeof stopped !== "boolean") return undefined;
  if (processStart !== undefined && typeof processStart !== "string") return undefined;
  if (current !== undefined && typeof current !== "string") return undefined;
  return { epoch: BigInt(epoch), beat, atMs, everyMs, host, pid, processStart, stopped, current };
}
