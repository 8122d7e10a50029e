// How numbers, times and rates are written for people: the same everywhere, times in UTC, offsets without separators (they are
// copied into commands).

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** 1234567 as `1,234,567`. */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString("en");
}

/** `1 batch`, `1,204 batches`; `many` for all counts but 1. */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 || count === 1n ? one : many}`;
}

/** A span of time: `45 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  if (ms < MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min ${Math.round((ms % MINUTE_MS) / SECOND_MS)} s`;
  return `${formatCount(Math.floor(ms / HOUR_MS))} h ${Math.round((ms % HOUR_MS) / MINUTE_MS)} min`;
}

/** Records in a time as `412,000/s`, to three digits; undefined when the time is too short to say. */
export function formatRate(count: number, ms: number): string | undefined {
  if (ms < 1 || count === 0) return undefined;
  return `${formatCount(Number(((count * SECOND_MS) / ms).toPrecision(3)))}/s`;
}

/** `2026-11-24 18:47:45`, in UTC. */
export function formatTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "?" : time.toISOString().slice(0, 19).replace("T", " ");
}
