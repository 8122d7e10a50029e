// `defineJob`: checks a job's options once, fills in the defaults, and keeps its types. Everything that can be wrong
// with a job without touching a server is found here, with a hint.
import type {
  CombinedJobDefinition,
  DeadLetter,
  DeadLetterPolicy,
  Job,
  NormalizedJob,
  PlainJobDefinition,
  SinkFunction,
  Trigger,
} from "./contract/job.ts";
import type { Sink } from "./contract/sink.ts";
import { ConfigError } from "./errors.ts";
import { checkOffsetSpec } from "./plan/resolve-offsets.ts";
import { functionSink } from "./row-sink.ts";
import { nearest } from "./suggest.ts";

const JOB_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const MAX_THREADS = 64;
/** Marks what `defineJob` made, also across two copies of this package. */
const JOB_MARK = Symbol.for("tidemark.job");

const OPTIONS = [
  "name",
  "source",
  "pipeline",
  "combine",
  "sink",
  "checkpoint",
  "trigger",
  "maxOffsetsPerBatch",
  "minOffsetsPerBatch",
  "maxTriggerDelayMs",
  "onPoisonRecord",
  "commit",
  "storeTimeoutMs",
  "phaseTimeoutMs",
  "retainBatches",
  "threads",
  "ordered",
];

/** A job with `combine`: its sink takes what `combine` emits. */
export function defineJob<R, Row, Out>(definition: CombinedJobDefinition<R, Row, Out>): Job<R, Row, Out>;
/** A job: its sink takes what `pipeline` emits. @throws ConfigError an option is missing, misspelt or wrong */
export function defineJob<R, Row>(definition: PlainJobDefinition<R, Row>): Job<R, Row>;
export function defineJob(definition: unknown): Job<never, never, never> {
  if (typeof definition !== "object" || definition === null) throw new ConfigError("defineJob needs an object");
  const given = definition as Record<string, unknown>;
  checkOptionNames(given);
  const name = jobName(given["name"]);
  const normalized: NormalizedJob = {
    name,
    source: source(given["source"]),
    pipeline: callback(given["pipeline"], "pipeline") as NormalizedJob["pipeline"],
    combine:
      given["combine"] === undefined ? undefined : (callback(given["combine"], "combine") as NormalizedJob["combine"]),
    sink: sink(given["sink"], "sink"),
    checkpoint: checkpoint(given["checkpoint"]),
    trigger: checkTrigger(given["trigger"] ?? "continuous"),
    maxOffsetsPerBatch: count(given, "maxOffsetsPerBatch", undefined),
    minOffsetsPerBatch: count(given, "minOffsetsPerBatch", 1) ?? 1,
    maxTriggerDelayMs: count(given, "maxTriggerDelayMs", 900_000) ?? 900_000,
    onPoisonRecord: poisonPolicy(given["onPoisonRecord"]),
    commit: commitMode(given["commit"]),
    storeTimeoutMs: count(given, "storeTimeoutMs", 300_000) ?? 300_000,
    phaseTimeoutMs: count(given, "phaseTimeoutMs", 300_000) ?? 300_000,
    retainBatches: count(given, "retainBatches", 1_000) ?? 1_000,
    threads: checkThreads(given["threads"] ?? 1),
    ordered: ordered(given["ordered"]),
  };
  const { maxOffsetsPerBatch: most, minOffsetsPerBatch: least } = normalized;
  if (most !== undefined && least > most) {
    throw new ConfigError(`minOffsetsPerBatch (${least}) is more than maxOffsetsPerBatch (${most})`);
  }
  if (normalized.commit === "manual" && typeof given["sink"] !== "function") {
    throw new ConfigError('with commit: "manual" the sink must be a function, for nothing else commits', {
      hint: "sink: async (rows, batch) => { …; await batch.commitSync(); }, or another commit",
    });
  }
  const job = { name, definition: normalized };
  Object.defineProperty(job, JOB_MARK, { value: true });
  return job;
}

/** Whether a value was made by `defineJob`. */
export function isJob(value: unknown): value is Job {
  return typeof value === "object" && value !== null && JOB_MARK in value;
}

/** For `onPoisonRecord`: sends poison records to `sink` instead of failing, in the same batch. */
export function deadLetter(to: Sink<DeadLetter> | SinkFunction<DeadLetter>): DeadLetterPolicy {
  return { deadLetterSink: sink(to, "deadLetter's sink") as Sink<DeadLetter> };
}

/** Checks a trigger, which may come from the command line. @throws ConfigError */
export function checkTrigger(trigger: unknown): Trigger {
  if (trigger === "continuous" || trigger === "once" || trigger === "available-now") return trigger;
  const hint = 'write "continuous", "once", "available-now" or { intervalMs: 500 }';
  if (typeof trigger === "object" && trigger !== null && "intervalMs" in trigger) {
    const { intervalMs } = trigger;
    if (typeof intervalMs === "number" && Number.isFinite(intervalMs) && intervalMs > 0) return { intervalMs };
    throw new ConfigError(`trigger.intervalMs must be a number of milliseconds above 0, not ${String(intervalMs)}`, {
      hint,
    });
  }
  throw new ConfigError(`trigger cannot be ${describe(trigger)}`, { hint });
}

/** Checks a number of threads, which may come from the command line. @throws ConfigError */
export function checkThreads(threads: unknown): number {
  if (Number.isInteger(threads) && Number(threads) >= 1 && Number(threads) <= MAX_THREADS) return Number(threads);
  throw new ConfigError(`threads must be a whole number from 1 to ${MAX_THREADS}, not ${describe(threads)}`, {
    hint: "one for each core that it may use is as much as pays",
  });
}

function ordered(value: unknown): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? true;
  throw new ConfigError(`ordered must be true or false, not ${describe(value)}`);
}

function commitMode(value: unknown): NormalizedJob["commit"] {
  if (value === undefined || value === "batch") return "batch";
  if (value === "manual") return value;
  const hint = 'write "batch", { autoCommitIntervalMs: 5_000 } or "manual"';
  if (typeof value === "object" && value !== null && "autoCommitIntervalMs" in value) {
    const { autoCommitIntervalMs: ms } = value;
    if (typeof ms === "number" && Number.isFinite(ms) && ms > 0) return { autoCommitIntervalMs: ms };
    throw new ConfigError(`commit.autoCommitIntervalMs must be a number of milliseconds above 0, not ${String(ms)}`, {
      hint,
    });
  }
  throw new ConfigError(`commit cannot be ${describe(value)}`, { hint });
}

function checkOptionNames(given: Record<string, unknown>): void {
  for (const option of Object.keys(given)) {
    if (OPTIONS.includes(option)) continue;
    const near = nearest(option, OPTIONS);
    throw new ConfigError(`defineJob has no option "${option}"`, {
      hint: near === undefined ? `options: ${OPTIONS.join(", ")}` : `did you mean "${near}"?`,
    });
  }
}

/** Checks a job name. @throws ConfigError */
export function jobName(name: unknown): string {
  if (typeof name === "string" && JOB_NAME.test(name)) return name;
  throw new ConfigError(`${name === undefined ? "the job has no name" : `a job cannot be named ${describe(name)}`}`, {
    hint: "a name has 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit",
  });
}

function source(value: unknown): NormalizedJob["source"] {
  if (typeof value === "object" && value !== null && "open" in value && "startingOffsets" in value) {
    const given = value as NormalizedJob["source"];
    checkOffsetSpec(given.startingOffsets, "startingOffsets");
    if (given.endingOffsets !== undefined) checkOffsetSpec(given.endingOffsets, "endingOffsets");
    return given;
  }
  throw new ConfigError(`source is ${describe(value)}, not a source`, {
    hint: 'for example fileSource({ dir: "in" })',
  });
}

function sink(value: unknown, option: string): Sink<unknown> {
  if (typeof value === "function") return functionSink(value as SinkFunction<unknown>);
  if (typeof value === "object" && value !== null && "open" in value && "encoder" in value)
    return value as Sink<unknown>;
  throw new ConfigError(`${option} is ${describe(value)}, not a sink`, {
    hint: 'for example fileSink({ dir: "out", format: "ndjson" }), or async (rows, batch) => { … }',
  });
}

function checkpoint(value: unknown): NormalizedJob["checkpoint"] {
  if (value === undefined) return "file:.tidemark";
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "object" && value !== null && "takeOver" in value) return value as NormalizedJob["checkpoint"];
  throw new ConfigError(`checkpoint is ${describe(value)}, not a URL or a store`, {
    hint: 'for example "file:.tidemark"',
  });
}

function poisonPolicy(value: unknown): NormalizedJob["onPoisonRecord"] {
  if (value === undefined || value === "fail") return "fail";
  if (value === "skip") return value;
  if (typeof value === "object" && value !== null && "deadLetterSink" in value) return value as DeadLetterPolicy;
  throw new ConfigError(`onPoisonRecord cannot be ${describe(value)}`, {
    hint: 'write "fail", "skip" or deadLetter(sink)',
  });
}

function callback(value: unknown, option: string): unknown {
  if (typeof value === "function") return value;
  throw new ConfigError(`${option} is ${describe(value)}, not a function`, {
    hint: option === "pipeline" ? "for example pipeline: (records$) => records$.pipe(map(({ value }) => value))" : "",
  });
}

function count(given: Record<string, unknown>, option: string, fallback: number | undefined): number | undefined {
  const value = given[option];
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && Number(value) >= 1) return Number(value);
  throw new ConfigError(`${option} must be a whole number of at least 1, not ${describe(value)}`);
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
