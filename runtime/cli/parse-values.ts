// What people type as values of flags, turned into what the programs take. Pure; every refusal says what may be
// written instead.
import type { Trigger } from "../contract/job.ts";
import type { OffsetRange } from "../contract/positions.ts";
import type { ExplicitOffsets } from "../contract/source.ts";
import { checkThreads } from "../define-job.ts";
import { ConfigError } from "../errors.ts";
import { nearest } from "../suggest.ts";

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TRIGGERS = ["continuous", "once", "available-now"] as const;
/** Before 1973: rather seconds than milliseconds. */
const LEAST_EPOCH_MS = 100_000_000_000;
const GREATEST_OFFSET = 2n ** 63n - 1n;

/** `500ms`, `5s`, `1h30m`: milliseconds; undefined when it is no span of time. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d{1,9}(\.\d{1,3})?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit = ""] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g))
    ms += Number(count) * (UNITS_MS[unit] ?? 0);
  return ms;
}

/** `--trigger`. @throws ConfigError */
export function parseTrigger(text: string): Trigger {
  const named = TRIGGERS.find((trigger) => trigger === text);
  if (named !== undefined) return named;
  const intervalMs = parseDuration(text);
  if (intervalMs !== undefined && intervalMs > 0) return { intervalMs };
  const near = nearest(text, TRIGGERS);
  throw new ConfigError(`--trigger cannot be ${JSON.stringify(text)}`, {
    hint: near === undefined ? `write ${TRIGGERS.join(", ")}, or a time such as 500ms or 5s` : `did you mean ${near}?`,
  });
}

/** `--threads`. @throws ConfigError */
export function parseThreads(text: string): number {
  return checkThreads(/^\d{1,3}$/.test(text) ? Number(text) : text);
}

/**
 * A moment: ISO 8601 (in UTC unless it says otherwise), milliseconds since the Unix epoch, or a span of time ago
 * (`30m`, `2h ago`).
 * @returns milliseconds since the Unix epoch
 * @throws ConfigError
 */
export function parseTime(text: string, flag: string, nowMs: number): number {
  const agoMs = parseDuration(text.replace(/ ago$/, ""));
  if (agoMs !== undefined) return nowMs - agoMs;
  const wrong = (why: string) =>
    new ConfigError(`${flag} ${JSON.stringify(text)} ${why}`, {
      hint: "write 2026-11-24, 2026-11-24T18:00 (UTC), 1795543200000 (ms since 1970) or 30m (ago)",
    });
  if (/^\d{9,16}$/.test(text)) {
    if (Number(text) >= LEAST_EPOCH_MS) return Number(text);
    throw wrong("looks like seconds since 1970; milliseconds are needed");
  }
  const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text);
  if (iso === null) throw wrong("is no time");
  const [, date, time = "00:00", zone = "Z"] = iso;
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase().replace(/^(...)(\d\d)$/, "$1:$2")}`);
  if (Number.isNaN(ms)) throw wrong("is no time that exists");
  return ms;
}

/** `--batches`: `3..7`, both inclusive, or one number. @throws ConfigError */
export function parseBatches(text: string): { from: number; to: number } {
  const [, from, to = from] = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(text) ?? [];
  if (from !== undefined && Number(from) <= Number(to)) return { from: Number(from), to: Number(to) };
  throw new ConfigError(`--batches cannot be ${JSON.stringify(text)}`, {
    hint: "write --batches 3..7 (both inclusive) or --batches 3",
  });
}

/** `--to-batch`. @throws ConfigError */
export function parseBatchId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ConfigError(`--to-batch cannot be ${JSON.stringify(text)}`, {
    hint: "write a batch's number: --to-batch 3",
  });
}

/** `--ranges`: `topic:partition:from-until`, until exclusive. @throws ConfigError */
export function parseRange(text: string): OffsetRange {
  const [, topic, partition, from, until] = /^(.+):(\d{1,9}):(\d{1,19})-(\d{1,19})$/.exec(text) ?? [];
  if (topic !== undefined && from !== undefined && until !== undefined) {
    const [fromOffset, untilOffset] = [offset(from, "--ranges"), offset(until, "--ranges")];
    if (fromOffset < untilOffset) return { topic, partition: Number(partition), fromOffset, untilOffset };
  }
  throw new ConfigError(`--ranges cannot be ${JSON.stringify(text)}`, {
    hint: "write topic:partition:from-until, for example payments:0:100-250 (offsets 100 to 249)",
  });
}

/** `--to-offset`: `topic:partition=offset`, any number of them. @throws ConfigError */
export function parseOffsets(texts: readonly string[]): ExplicitOffsets {
  const offsets: Record<string, Record<number, bigint>> = Object.create(null);
  for (const text of texts) {
    const [, topic, partition, at] = /^(.+):(\d{1,9})=(\d{1,19})$/.exec(text) ?? [];
    if (topic === undefined || at === undefined) {
      throw new ConfigError(`--to-offset cannot be ${JSON.stringify(text)}`, {
        hint: "write topic:partition=offset, for example payments:0=1200",
      });
    }
    const partitions = offsets[topic] ?? (Object.create(null) as Record<number, bigint>);
    offsets[topic] = partitions;
    if (partitions[Number(partition)] !== undefined)
      throw new ConfigError(`--to-offset names ${topic}:${partition} twice`);
    partitions[Number(partition)] = offset(at, "--to-offset");
  }
  return offsets;
}

/** `--shift-by`: whole and signed. @throws ConfigError */
export function parseShift(text: string): bigint {
  if (/^[+-]?\d{1,18}$/.test(text) && !/^[+-]?0+$/.test(text)) return BigInt(text.replace("+", ""));
  throw new ConfigError(`--shift-by cannot be ${JSON.stringify(text)}`, {
    hint: "write a number of offsets: --shift-by 1000, or --shift-by -1000 to go back",
  });
}

/** A count, at least 1. @throws ConfigError */
export function parseCount(text: string, flag: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new ConfigError(`${flag} cannot be ${JSON.stringify(text)}`, { hint: `write a number from 1: ${flag} 50` });
}

function offset(text: string, flag: string): bigint {
  const value = BigInt(text);
  if (value <= GREATEST_OFFSET) return value;
  throw new ConfigError(`${flag}: ${text} is no offset: the greatest is ${GREATEST_OFFSET}`);
}
