// How numbers, times and rates are written for people: the same everywhere, times in UTC, offsets without separators
// (they are copied into commands).

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

/** 1234567 as `1,234,567`. */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString("en");
}

/** `1 batch`, `1,204 batches`; `many` for all counts but 1. */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 || count === 1n ? one : many}`;
}

/** A span of time: `45 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`. Rounded first, so that there are never 60 of a unit. */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < SECOND_MS) return `${Math.round(ms)} ms`;
  const tenths = Math.round(ms / 100);
  if (tenths < 100) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(ms / SECOND_MS);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / MINUTE_MS);
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
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
