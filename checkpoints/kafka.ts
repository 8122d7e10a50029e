// The store in a Kafka cluster: each entry a record of one compacted topic, written in a transaction by a producer of
// the job's own transactional id. Taking over is to register that producer anew, which shuts out every older writer and
// ends what it had open; then to read the log to its end; then to append the entry that begins the term. The job's
// consumer group gets its offsets in the same transactions, and with a Kafka sink of the same cluster the rows go there
// too. No group is joined.
import {
  abortable,
  checkConnectionOptions,
  ensureCompactedTopic,
  isTopicName,
  KafkaClient,
  type KafkaConnectionOptions,
  pause,
  SharedProducer,
} from "../connectors/kafka/for-stores.ts";
import {
  type CheckpointStore,
  ConfigError,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { checkJobName } from "./job-name.ts";
import { entriesTopic, MAX_ENTRY_BYTES, transactionalIdOf } from "./kafka/entries-topic.ts";
import { examineCluster } from "./kafka/examine.ts";
import { type JobView, LogView } from "./kafka/log-view.ts";
import { appendEntry, isFenced, isServerFailure, KafkaLogWriter } from "./kafka/log-writer.ts";
import { checkNothingIsLost } from "./kafka/lost-log.ts";
import { parseStoreUrl } from "./kafka/store-url.ts";

const DEFAULT_TOPIC = "tidemark-checkpoints";
/** As the sink's: a batch's rows may be in the log's transaction. */
const DEFAULT_TRANSACTION_TIMEOUT_MS = 300_000;
const LEAST_TRANSACTION_TIMEOUT_MS = 30_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** Of two that take over at once, one must get through while the other waits. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 3_000;
const CLIENT_NAME = "checkpoint";

export interface KafkaStoreOptions extends KafkaConnectionOptions {
  /** The compacted topic of all jobs' entries; made when it is missing. Default "tidemark-checkpoints". */
  readonly topic?: string | undefined;
  /**
   * How long a transaction may be open before the brokers end it, at least 30,000; default 300,000. A batch of a Kafka
   * sink of the same cluster must fit in: if the sink allows more, its rows have transactions of their own. Brokers
   * allow up to transaction.max.timeout.ms, 15 minutes unless set. Should a process die or freeze and no other take
   * over, readers of its rows with read_committed wait for so long; readers of checkpoints never do.
   */
  readonly transactionTimeoutMs?: number;
  /**
   * true (default): positions in this cluster's topics are also the offsets of the consumer group named as the job,
   * written in the entry's transaction. They are never read back.
   */
  readonly showsGroup?: boolean;
  /** true: that group's offsets may be written over though others wrote them. Default false: the job stops. */
  readonly adoptGroup?: boolean;
}

/**
 * A checkpoint store in a Kafka cluster (3.1 or later). Constructing it does no I/O.
 * @param options `kafka://host:9092,host:9092/topic`, or options
 * @throws ConfigError the URL or an option cannot be right
 */
export function kafkaStore(options: string | KafkaStoreOptions): CheckpointStore {
  return new KafkaStore(typeof options === "string" ? parseStoreUrl(options) : options);
}

class KafkaStore implements CheckpointStore {
  readonly url: string;
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly #options: KafkaStoreOptions;
  readonly #topic: string;
  readonly #transactionTimeoutMs: number;
  readonly #views = new Map<string, LogView>();
  readonly #closing = new AbortController();
  #client: Promise<KafkaClient> | undefined;

  constructor(options: KafkaStoreOptions) {
    const { topic = DEFAULT_TOPIC, transactionTimeoutMs = DEFAULT_TRANSACTION_TIMEOUT_MS, brokers } = options;
    checkConnectionOptions(options, CLIENT_NAME);
    if (!isTopicName(topic)) throw new ConfigError(`${JSON.stringify(topic)} is no name of a Kafka topic`);
    const isTime = Number.isInteger(transactionTimeoutMs) && transactionTimeoutMs < 2 ** 31;
    if (!isTime || transactionTimeoutMs < LEAST_TRANSACTION_TIMEOUT_MS) {
      throw new ConfigError(
        `transactionTimeoutMs must be a whole number from ${LEAST_TRANSACTION_TIMEOUT_MS}, not ${transactionTimeoutMs}`,
      );
    }
    this.#options = options;
    this.#topic = topic;
    this.#transactionTimeoutMs = transactionTimeoutMs;
    this.url = `kafka://${brokers.join(",")}${topic === DEFAULT_TOPIC ? "" : `/${topic}`}`;
  }

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    checkJobName(jobName);
    const view = await this.#view(jobName, signal);
    await view.settle(signal);
    return view.bounds(jobName);
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    checkJobName(jobName);
    const view = await this.#view(jobName, signal);
    await view.settle(signal);
    const entries = [...(view.job(jobName)?.entries ?? [])];
    for (const [seq, entry] of entries) if (seq >= from) yield { seq, entry };
  }

  async takeOver(
    jobName: string,
    begin: (head: bigint) => NumberedEntry,
    signal: AbortSignal,
    lineageId?: string,
  ): Promise<LogWriter> {
    checkJobName(jobName);
    const client = await this.#connected(signal);
    await ensureCompactedTopic(client, entriesTopic(this.#topic), signal);
    const view = await this.#view(jobName, signal);
    const { showsGroup = true, adoptGroup = false } = this.#options;
    const group = lineageId === undefined || !showsGroup ? undefined : { lineageId, adopt: adoptGroup };
    const term = { client, view, topic: this.#topic, jobName, group, produceTimeoutMs: this.#produceTimeoutMs };
    let begun: NumberedEntry | undefined;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const producer = await this.#openProducer(client, jobName, signal);
      // Every older writer's transactions have come to their end, and say so in the log.
      await view.refresh(signal);
      const head = view.bounds(jobName)?.head ?? -1n;
      if (head < 0n && group?.adopt === false)
        await checkNothingIsLost({ ...term, lineageId: group.lineageId }, signal);
      if (begun !== undefined && isNewest(begun, view.job(jobName))) {
        view.written();
        return new KafkaLogWriter({ ...term, producer, begun });
      }
      begun = begin(head);
      if (begun.seq <= head) throw new RangeError(`a term cannot begin at entry ${begun.seq}: the head is ${head}`);
      try {
        await appendEntry(producer, { topic: this.#topic, jobName }, begun, signal);
        view.written();
        return new KafkaLogWriter({ ...term, producer, begun });
      } catch (error) {
        if (!isFenced(error) && !isServerFailure(error)) throw error;
      }
      await pause(pauseMs * Math.random(), signal);
    }
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    checkJobName(jobName);
    const view = await this.#view(jobName, signal);
    await view.refresh(signal);
    return view.job(jobName)?.heartbeat;
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    const view = new LogView({ client: await this.#connected(signal), topic: this.#topic, jobName: undefined });
    await view.settle(signal);
    return view.jobNames.sort();
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    return await examineCluster(await this.#connected(signal), this.#topic, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the checkpoint store was closed"));
    const client = await this.#client?.catch(() => undefined);
    await client?.[Symbol.asyncDispose]();
  }

  get #produceTimeoutMs(): number {
    // The broker's answer must come before the connection's own deadline.
    return Math.ceil((this.#options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS) * 0.8);
  }

  #openProducer(client: KafkaClient, jobName: string, signal: AbortSignal): Promise<SharedProducer> {
    const options = {
      client,
      connection: this.#options,
      transactionalId: transactionalIdOf(this.#topic, jobName),
      transactionTimeoutMs: this.#transactionTimeoutMs,
      produceTimeoutMs: this.#produceTimeoutMs,
      brokersMayAddPartitions: true,
    };
    return SharedProducer.open(options, signal);
  }

  async #view(jobName: string, signal: AbortSignal): Promise<LogView> {
    const client = await this.#connected(signal);
    const known = this.#views.get(jobName);
    if (known !== undefined) return known;
    const view = new LogView({ client, topic: this.#topic, jobName });
    this.#views.set(jobName, view);
    return view;
  }

  /** One connection for all, made when it is first needed, and again when that failed. */
  async #connected(signal: AbortSignal): Promise<KafkaClient> {
    signal.throwIfAborted();
    if (this.#client === undefined) {
      const opening = KafkaClient.open(this.#options, CLIENT_NAME, this.#closing.signal);
      this.#client = opening;
      opening.catch(() => {
        if (this.#client === opening) this.#client = undefined;
      });
    }
    return await abortable(this.#client, signal);
  }
}

/** Whether this very entry is the log's newest. */
function isNewest({ seq, entry }: NumberedEntry, job: JobView | undefined): boolean {
  const [newest] = [...(job?.entries ?? [])].slice(-1);
  return newest !== undefined && newest[0] === seq && newest[1].token === entry.token;
}
