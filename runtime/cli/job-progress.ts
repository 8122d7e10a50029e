// What one running job says while it runs, made from its events: a status for the live line, or plain lines where no
// terminal is, and notes about whatever is out of the ordinary. It decides nothing and never waits.
import { formatRange, type OffsetRange } from "../contract/positions.ts";
import type { Heartbeat } from "../contract/store.ts";
import { messageOf, TidemarkError } from "../errors.ts";
import type { JobEvent } from "../events.ts";
import { BatchLines } from "./batch-lines.ts";
import { hintToType } from "./command-names.ts";
import { counted, formatCount, formatDuration } from "./format.ts";
import { OffsetRate } from "./offset-rate.ts";
import { printableMessage } from "./printable.ts";
import type { Screen } from "./screen.ts";

const SHOWN_RECORDS = 3;

type EventOf<Type extends JobEvent["type"]> = Extract<JobEvent, { type: Type }>;

export interface ProgressOptions {
  readonly screen: Screen;
  readonly job: string;
  /** What names it in a command, for hints. */
  readonly jobArgs: readonly string[];
  /** Whether completed batches are told line by line, because nothing shows a live line. */
  readonly hasLines: boolean;
}

/** The progress of one job. */
export class JobProgress {
  readonly #options: ProgressOptions;
  readonly #rate = new OffsetRate();
  readonly #lines: BatchLines;
  /** What the job does when no batch runs. */
  #phase = "starting";
  #batch: { readonly id: number; done: bigint; readonly of: bigint } | undefined;
  #lag = 0n;
  /** Offsets of the batches completed by this run. */
  #offsets = 0n;
  #otherRun: string | undefined;
  #hasStarted = false;
  #hasIdled = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#lines = new BatchLines((message, fields) => this.#log("info", message, fields));
  }

  /** The batch in hand, which a stop finishes first; undefined when there is none. */
  get batchInHand(): number | undefined {
    return this.#batch?.id;
  }

  /** Takes the job's events, in order. */
  on(event: JobEvent): void {
    switch (event.type) {
      case "waiting-for-other-run":
        this.#waiting(event.heartbeat);
        break;
      case "started":
        this.#started(event);
        break;
      case "resuming":
        this.#begin(event.plan);
        this.#say("info", `batch ${event.plan.batchId} was not completed: it runs again over the same ranges`);
        break;
      case "planned":
        this.#lag = event.lag;
        this.#begin(event.plan);
        break;
      case "progress":
        if (this.#batch !== undefined) this.#batch.done = event.offsets;
        this.#rate.note(this.#done());
        break;
      case "completed":
        this.#completed(event);
        break;
      case "poison":
        this.#poison(event);
        break;
      case "lost":
        this.#lost(event);
        break;
      case "idle":
        this.#idle(event.lag);
        break;
      case "retrying":
        this.#retrying(event);
        break;
      case "warning":
        this.#say("warning", hintToType(event.message, this.#options.jobArgs));
        break;
      case "ended":
        this.end();
    }
  }

  /** One line for the live area, without the job's name. */
  status(): string {
    const batch = this.#batch;
    if (batch === undefined) return this.#phase;
    const done = this.#done();
    const rate = this.#rate.now(done);
    const left = this.#lag + batch.of - batch.done;
    const parts = [
      `batch ${batch.id}`,
      `${formatCount(done)} done`,
      ...(rate ? [rate] : []),
      `lag ${formatCount(left)}`,
    ];
    return parts.join("  ");
  }

  /** Says what was held back. */
  end(): void {
    this.#batch = undefined;
    this.#phase = "ended";
    this.#lines.flush();
  }

  #waiting({ host, pid, epoch, everyMs }: Heartbeat): void {
    const run = `pid ${pid} on ${host} (epoch ${epoch})`;
    this.#phase = `waiting: ${run} runs this job; --take-over forces`;
    if (this.#otherRun === run) return;
    this.#otherRun = run;
    const until = `waiting until it stops or shows no sign of life for ${formatDuration(everyMs * 5)}`;
    this.#say("info", `${run} runs this job: ${until}; --take-over takes it over at once`);
  }

  #started({ epoch, isNew }: EventOf<"started">): void {
    this.#phase = "looking for data";
    const how = this.#hasStarted ? "goes on" : isNew ? "starts as a new job" : "goes on where it stood";
    this.#hasStarted = true;
    this.#say("info", `${how} (epoch ${epoch})`, { epoch });
  }

  #begin({ batchId, ranges }: { readonly batchId: number; readonly ranges: readonly OffsetRange[] }): void {
    this.#batch = { id: batchId, done: 0n, of: offsetsOf(ranges) };
    this.#rate.note(this.#done());
  }

  #idle(lag: bigint): void {
    this.#batch = undefined;
    this.#lag = lag;
    this.#phase = lag > 0n ? `waiting, lag ${formatCount(lag)}` : "waiting for data";
    if (!this.#hasIdled && this.#offsets === 0n && this.#options.hasLines) this.#say("info", "waiting for data");
    this.#hasIdled = true;
  }

  #completed({ plan: { batchId, ranges }, counts, lag }: EventOf<"completed">): void {
    this.#batch = undefined;
    this.#phase = "looking for data";
    this.#offsets += offsetsOf(ranges);
    if (lag !== undefined) this.#lag = lag;
    this.#rate.note(this.#offsets);
    if (counts.alreadyWritten) {
      this.#say("info", `batch ${batchId} was in the sink already: it was not written again`, { batchId });
    } else if (this.#options.hasLines) {
      this.#lines.add({ batchId, counts, lag });
    }
  }

  #poison({ batchId, records }: EventOf<"poison">): void {
    const told = records.map(({ topic, partition, offset, phase, error }) => {
      const what = phase === "decode" ? "cannot be decoded" : "the pipeline threw";
      return `${topic}:${partition}:${offset} (${what}: ${error.split("\n", 1)[0]})`;
    });
    const what = counted(records.length, "poison record");
    this.#say("warning", `batch ${batchId}: ${what} left out: ${list(told)}`, { batchId, poison: records.length });
  }

  #lost({ batchId, lost }: EventOf<"lost">): void {
    const told = list(lost.map(formatRange));
    this.#say("warning", `batch ${batchId}: the log no longer holds ${told}`, { batchId, lost });
  }

  #retrying({ error, attempt, delayMs }: EventOf<"retrying">): void {
    this.#batch = undefined;
    this.#phase = "trying again";
    const when = `trying again in ${formatDuration(delayMs)} (attempt ${attempt})`;
    this.#say("warning", `${printableMessage(messageOf(error))}; ${when}`, { attempt, delayMs });
    const hint = attempt === 1 && error instanceof TidemarkError ? error.hint : undefined;
    if (hint !== undefined) this.#say("info", `hint: ${hintToType(hint, this.#options.jobArgs)}`);
  }

  /** Logs at once, after the batches that came before it. */
  #say(level: "info" | "warning", message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#lines.flush();
    this.#log(level, message, fields);
  }

  #log(level: "info" | "warning", message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.screen.log(level, message, { ...fields, job: this.#options.job });
  }

  #done(): bigint {
    return this.#offsets + (this.#batch?.done ?? 0n);
  }
}

function offsetsOf(ranges: readonly OffsetRange[]): bigint {
  return ranges.reduce((sum, { fromOffset, untilOffset }) => sum + untilOffset - fromOffset, 0n);
}

function list(texts: readonly string[]): string {
  const shown = texts.slice(0, SHOWN_RECORDS).join(", ");
  return texts.length > SHOWN_RECORDS ? `${shown} and ${texts.length - SHOWN_RECORDS} more` : shown;
}
