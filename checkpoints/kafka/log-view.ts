// What the entries topic holds of one job, or of all: read from the log as it lies, kept up to date by reading on.
// Uncommitted records are read too and count once their transaction has been committed, so that another job's open
// transaction hides nothing. Reading shuts nobody out, and is linearizable by `settle`: an append is in the log before
// it is acknowledged, though it may take some ms more until the log says that it was committed; so what is undecided is
// asked about. It must never count what is undecided, nor leave out what was acknowledged.
import {
  isTransactionEnding,
  type KafkaClient,
  ONLY_PARTITION,
  OUT_OF_RANGE,
  pause,
  type RawLogRecord,
  type RawLogVisitor,
  rawLogEnd,
  readRawLog,
  topicProblem,
} from "../../connectors/kafka/for-stores.ts";
import {
  CheckpointMissingError,
  type Entry,
  type Heartbeat,
  type LogBounds,
  TransientError,
} from "../../runtime/index.ts";
import { entriesTopic, transactionalIdOf } from "./entries-topic.ts";
import { type Change, changeOf, keyPrefixOf } from "./records.ts";

/** Tombstones are kept at least twice as long by the topic as we make it; after that they may have been missed. */
const MAX_AGE_MS = 300_000;
/** From the acknowledgement of a commit until it is in the log: milliseconds, or a restart of the coordinator. */
const SETTLES_WITHIN_MS = 15_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;

/** What is known of one job. */
export interface JobView {
  /** Ascending. */
  readonly entries: ReadonlyMap<bigint, Entry>;
  /** The newest epoch's last. */
  readonly heartbeat: Heartbeat | undefined;
}

/** Records whose transaction has not ended yet, as far as was read. */
interface Undecided {
  readonly producerId: bigint;
  readonly changes: Change[];
}

export interface LogViewOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  /** The job, with the entries' bytes; undefined: all jobs, without. */
  readonly jobName: string | undefined;
}

/** Reads on when asked; one reading at a time. */
export class LogView implements RawLogVisitor {
  readonly #options: LogViewOptions;
  readonly #prefix: Buffer;
  #topicId: string | undefined;
  #isWrittenTo = false;
  #next: number | undefined;
  #readMs = 0;
  #jobs = new Map<string, { entries: Map<bigint, Entry>; heartbeat: Heartbeat | undefined }>();
  #undecided = new Map<bigint, Undecided>();
  /** Counts how often it began to read anew. */
  #beginnings = 0;
  #reading: Promise<void> = Promise.resolve();

  constructor(options: LogViewOptions) {
    this.#options = options;
    this.#prefix = options.jobName === undefined ? Buffer.alloc(0) : keyPrefixOf(options.jobName);
  }

  /** The jobs that have entries. */
  get jobNames(): string[] {
    return [...this.#jobs].filter(([, { entries }]) => entries.size > 0).map(([jobName]) => jobName);
  }

  /** As of the last reading; undefined: nothing is known of this job. */
  job(jobName: string): JobView | undefined {
    return this.#jobs.get(jobName);
  }

  /** undefined: there is no entry. */
  bounds(jobName: string): LogBounds | undefined {
    const entries = this.#jobs.get(jobName)?.entries;
    const first = entries?.keys().next().value;
    const head = entries === undefined ? undefined : [...entries.keys()].at(-1);
    return first === undefined || head === undefined ? undefined : { first, head };
  }

  /**
   * Reads everything that was there when it was called; what is undecided may be left out.
   * @throws CheckpointMissingError the topic is gone, or another, while entries of it are known
   * @throws TransientError, ConfigError
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const before = this.#reading;
    const mine = before.then(() => this.#readToEnd(signal));
    this.#reading = mine.catch(() => undefined);
    await mine;
  }

  /** Reads everything that was acknowledged before it was called. @throws as refresh */
  async settle(signal: AbortSignal): Promise<void> {
    await this.refresh(signal);
    let waited = [...this.#undecided.values()];
    let beginnings = this.#beginnings;
    const beganMs = performance.now();
    for (let pauseMs = FIRST_PAUSE_MS; this.#anyUndecided(waited); pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      // What had not been told to end when the broker was asked, was not acknowledged before.
      const isEnding = await this.#anyIsEnding(waited, signal);
      await this.refresh(signal);
      if (!isEnding) return;
      if (beginnings !== this.#beginnings) waited = [...this.#undecided.values()];
      beginnings = this.#beginnings;
      if (performance.now() - beganMs > SETTLES_WITHIN_MS) {
        throw new TransientError(`a transaction of the topic "${this.#options.topic}" does not come to its end`, {
          code: "KAFKA_OPEN_TRANSACTION",
          hint: "find it: kafka-transactions find-hanging",
        });
      }
      await pause(pauseMs, signal);
    }
  }

  /** The topic that was read last has an entry now, which may not have been read: it must stay. */
  written(): void {
    this.#isWrittenTo = true;
  }

  /** @throws CheckpointMissingError the topic is gone, or is another than the one that was read */
  async checkIsSame(signal: AbortSignal): Promise<void> {
    const topicId = await this.#topicIdNow(signal);
    if (topicId !== this.#topicId) throw this.#gone(topicId === undefined ? "it was deleted" : "it was made anew");
  }

  /** For the reading of the log only. */
  record(record: RawLogRecord): void {
    const prefix = this.#prefix;
    if (record.key.length <= prefix.length || !record.key.subarray(0, prefix.length).equals(prefix)) return;
    const change = changeOf(record, this.#options.jobName !== undefined);
    if (change === undefined) return;
    const { producerId, isTransactional } = record;
    if (!isTransactional) {
      if (change.kind === "heartbeat") this.#apply(change);
      return;
    }
    const undecided = this.#undecided.get(producerId) ?? { producerId, changes: [] };
    undecided.changes.push(change);
    this.#undecided.set(producerId, undecided);
  }

  /** For the reading of the log only. */
  ended(producerId: bigint, how: "commit" | "abort"): void {
    const undecided = this.#undecided.get(producerId);
    this.#undecided.delete(producerId);
    if (how === "commit") for (const change of undecided?.changes ?? []) this.#apply(change);
  }

  #apply(change: Change): void {
    const job = this.#jobs.get(change.jobName) ?? { entries: new Map(), heartbeat: undefined };
    this.#jobs.set(change.jobName, job);
    if (change.kind === "heartbeat") {
      if (job.heartbeat === undefined || job.heartbeat.epoch <= change.heartbeat.epoch)
        job.heartbeat = change.heartbeat;
    } else if (change.entry === undefined) job.entries.delete(change.seq);
    else job.entries.set(change.seq, change.entry);
  }

  async #readToEnd(signal: AbortSignal): Promise<void> {
    const { client, topic } = this.#options;
    const at = { topic, partition: ONLY_PARTITION };
    const topicId = await this.#topicIdNow(signal);
    if (topicId !== this.#topicId && (this.#isWrittenTo || this.jobNames.length > 0)) {
      throw this.#gone(topicId === undefined ? "it was deleted" : "it was made anew");
    }
    if (topicId !== this.#topicId) this.#forget();
    this.#topicId = topicId;
    if (topicId === undefined) return;
    if (performance.now() - this.#readMs > MAX_AGE_MS) this.#forget();
    const until = await rawLogEnd(client, at, "latest", signal);
    if (this.#next !== undefined && until < this.#next) throw this.#gone("it was cut");
    try {
      const from = this.#next ?? (await rawLogEnd(client, at, "earliest", signal));
      this.#next = await readRawLog(client, at, { from, until, signal }, this);
      this.#readMs = performance.now();
    } catch (error) {
      // How far it came is not known.
      this.#forget();
      throw error instanceof TransientError && error.code === OUT_OF_RANGE ? this.#gone("its records are") : error;
    }
  }

  /** undefined: there is no such topic. */
  async #topicIdNow(signal: AbortSignal): Promise<string | undefined> {
    const { client, topic } = this.#options;
    const { topics, problems } = await client.metadata([topic], signal);
    const failure = topicProblem(client, entriesTopic(topic), problems[0]?.errorCode ?? 0);
    if (failure !== undefined) throw failure;
    return topics[0]?.topicId;
  }

  #forget(): void {
    this.#beginnings++;
    this.#next = undefined;
    this.#jobs = new Map();
    this.#undecided = new Map();
  }

  #gone(how: string): CheckpointMissingError {
    const { topic } = this.#options;
    return new CheckpointMissingError(`the topic "${topic}", which holds the checkpoint, is not what it was: ${how}`, {
      hint: "bring its records back before the job starts again; without them it would begin anew",
    });
  }

  #anyUndecided(waited: readonly Undecided[]): boolean {
    return waited.some((each) => this.#undecided.get(each.producerId) === each);
  }

  async #anyIsEnding(waited: readonly Undecided[], signal: AbortSignal): Promise<boolean> {
    const jobNames = new Set(waited.flatMap(({ changes }) => changes.map(({ jobName }) => jobName)));
    for (const jobName of jobNames) {
      const transactionalId = transactionalIdOf(this.#options.topic, jobName);
      if ((await isTransactionEnding(this.#options.client, transactionalId, signal)) !== false) return true;
    }
    return false;
  }
}
