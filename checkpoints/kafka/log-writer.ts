// One writer's term on a job's log. An append is one transaction: the entry, the consumer group's offsets, and the rows
// of a sink of the same cluster. Whoever takes the log over shuts this writer's producer out, so that its transaction
// cannot be committed any more, however long it was frozen. Being shut out is a reason to look at the log, which alone
// knows whether somebody else has begun. After an answer that was lost the producer is used up: the log is looked at,
// then a new producer ends what the old one left, then the log is looked at again; a writer that finds an entry of
// somebody else does nothing more, so that two cannot shut each other out for ever.
import {
  answersOf,
  checkGroupIsOwn,
  codecs,
  formatBroker,
  JointRecords,
  type KafkaClient,
  ONLY_PARTITION,
  ownMark,
  type ProducerTurn,
  parseMark,
  patiently,
  plainStamp,
  produceApi,
  refusedBatch,
  type SharedProducer,
  SINK_FENCED,
  type TransactionalProducer,
} from "../../connectors/kafka/for-stores.ts";
import {
  type Appended,
  CheckpointMissingError,
  type Entry,
  type Heartbeat,
  type JointTransaction,
  type LogWriter,
  messageOf,
  type NumberedEntry,
  OutcomeUnknownError,
  type Position,
  TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import type { LogView } from "./log-view.ts";
import { entryBatch, heartbeatRecords, tombstoneBatch } from "./records.ts";

const GROUP_WITHIN_MS = 15_000;
const PRUNED_AT_ONCE = 1_000;
/** The second is said of a transaction that a newer producer has ended just now. */
const FENCED_CODES = [SINK_FENCED, "KAFKA_INVALID_TXN_STATE"];
/** For ending a transaction in good order when it is given up. */
const ABORT_WITHIN_MS = 10_000;

/** What a writer works with. */
export interface KafkaTerm {
  readonly client: KafkaClient;
  readonly view: LogView;
  readonly producer: SharedProducer;
  readonly topic: string;
  readonly jobName: string;
  /** The entry that began the term. */
  readonly begun: NumberedEntry;
  /** For the replicas to have a heartbeat. */
  readonly produceTimeoutMs: number;
  /** undefined: offsets are not shown in a consumer group. */
  readonly group: { readonly lineageId: string; readonly adopt: boolean } | undefined;
}

/** Appends to the log that was taken over; made only by a take-over. */
export class KafkaLogWriter implements LogWriter {
  readonly #term: KafkaTerm;
  #head: bigint;
  /** What is at the head, or may be: its append's answer was lost. */
  #unsure: NumberedEntry | undefined;
  #isShutOut = false;
  #isGroupChecked = false;
  #isClosed = false;

  constructor(term: KafkaTerm) {
    this.#term = term;
    this.#head = term.begun.seq;
  }

  get transactions(): SharedProducer {
    return this.#term.producer;
  }

  canJoin(rows: JointTransaction): boolean {
    return rows instanceof JointRecords && rows.producer === this.#term.producer;
  }

  shows(customary: readonly Position[]): boolean {
    return this.#shown(customary).length > 0;
  }

  async append(
    seq: bigint,
    entry: Entry,
    customary: readonly Position[],
    signal: AbortSignal,
    rows?: JointTransaction,
  ): Promise<Appended> {
    if (this.#isClosed) throw new Error(`the writer of ${this.#term.jobName} is closed`);
    signal.throwIfAborted();
    const added = { seq, entry: { token: entry.token, bytes: entry.bytes } };
    if (rows !== undefined) return await this.#appendWith(rows, added, customary, signal);
    const turn = await this.#term.producer.turn(signal);
    try {
      if (turn.producer.isUsedUp && !this.#isShutOut) await this.#renew(turn, signal);
      if (this.#isShutOut || seq !== this.#head + 1n) return await this.#whatIsThere(seq, signal);
      return await this.#appendInTurn(turn, added, customary, signal);
    } finally {
      turn.release();
    }
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    const { view, topic, jobName, producer } = this.#term;
    await view.refresh(signal);
    const until = before < this.#head ? before : this.#head;
    const old = [...(view.job(jobName)?.entries.keys() ?? [])].filter((seq) => seq < until);
    for (let from = 0; from < old.length; from += PRUNED_AT_ONCE) {
      const turn = await producer.turn(signal);
      try {
        // An append will find out why.
        if (this.#isShutOut || turn.producer.isUsedUp) return;
        await turn.producer.send([tombstoneBatch(topic, jobName, old.slice(from, from + PRUNED_AT_ONCE))], signal);
        await turn.producer.commit(signal);
      } catch (error) {
        await giveUp(turn.producer);
        if (isFenced(error)) return;
        throw error;
      } finally {
        turn.release();
      }
    }
  }

  /** Outside of transactions: nothing hangs on it, and it need not wait for a batch's rows. */
  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    const { client, view, topic, jobName, produceTimeoutMs: timeoutMs } = this.#term;
    await view.refresh(signal);
    const last = view.job(jobName)?.heartbeat;
    if (last !== undefined && last.epoch > heartbeat.epoch) return;
    const bytes = heartbeatRecords(jobName, heartbeat).finish(codecs.none, plainStamp());
    const at = { topic, partition: ONLY_PARTITION };
    const { leader } = client.cluster.locate(at);
    const request = { transactionalId: null, timeoutMs, batches: [{ ...at, bytes }] };
    const [answer] = answersOf(await client.call(leader, produceApi, [request], signal));
    if (answer === undefined || answer.errorCode === 0) return;
    throw refusedBatch({ ...answer, broker: formatBroker(leader) });
  }

  /** The connection belongs to the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }

  async #appendWith(
    rows: JointTransaction,
    added: NumberedEntry,
    customary: readonly Position[],
    signal: AbortSignal,
  ): Promise<Appended> {
    if (!(rows instanceof JointRecords) || !this.canJoin(rows)) {
      throw new Error("these rows are not in a transaction of this log");
    }
    if (this.#isShutOut || added.seq !== this.#head + 1n) return await this.#whatIsThere(added.seq, signal);
    const turn = await rows.seal(signal);
    try {
      return await this.#appendInTurn(turn, added, customary, signal);
    } finally {
      turn.release();
    }
  }

  async #appendInTurn(
    { producer }: ProducerTurn,
    added: NumberedEntry,
    customary: readonly Position[],
    signal: AbortSignal,
  ): Promise<Appended> {
    const { topic, jobName, group, view } = this.#term;
    try {
      const offsets = this.#shown(customary);
      if (offsets.length > 0) await this.#checkGroup(signal);
      await producer.send([entryBatch(topic, jobName, added)], signal);
      // Records go to whatever topic has this name.
      await Promise.all([producer.settled(signal), view.checkIsSame(signal)]);
      if (offsets.length > 0 && group !== undefined) {
        await producer.sendOffsets({ groupId: jobName, offsets, metadata: ownMark(group.lineageId) }, signal);
      }
      this.#unsure = added;
      await producer.commit(signal);
      this.#head = added.seq;
      return { is: "appended" };
    } catch (error) {
      await giveUp(producer);
      if (!(error instanceof TransientError)) throw error;
      // It was not appended. Somebody else may have taken over.
      this.#unsure = undefined;
      await this.#lookAround(signal);
      if (this.#isShutOut || isFenced(error)) return await this.#whatIsThere(added.seq, signal);
      throw error;
    }
  }

  /** After an answer that was lost. */
  async #renew(turn: ProducerTurn, signal: AbortSignal): Promise<void> {
    await this.#lookAround(signal);
    if (this.#isShutOut) return;
    await turn.renew(signal);
    await this.#lookAround(signal);
  }

  /** Whether the log is as this writer left it; if not, somebody else has begun. */
  async #lookAround(signal: AbortSignal): Promise<void> {
    const { view, jobName } = this.#term;
    await view.settle(signal);
    const head = view.bounds(jobName)?.head;
    if (head === this.#head) return;
    const unsure = this.#unsure;
    const there = unsure && view.job(jobName)?.entries.get(unsure.seq);
    const isMine = unsure !== undefined && head === unsure.seq && there?.token === unsure.entry.token;
    if (isMine) this.#head = unsure.seq;
    else this.#isShutOut = true;
  }

  async #whatIsThere(seq: bigint, signal: AbortSignal): Promise<Appended> {
    const { view, jobName } = this.#term;
    await view.settle(signal);
    const bounds = view.bounds(jobName);
    if (bounds === undefined) {
      throw new CheckpointMissingError(`the checkpoint of ${jobName} is gone while the job runs`, {
        hint: "bring the topic's records back before the job starts again; without them it would begin anew",
      });
    }
    const entry = view.job(jobName)?.entries.get(seq);
    return entry === undefined ? { is: "behind", head: bounds.head } : { is: "exists", entry };
  }

  /** The positions that this cluster's own topics have. */
  #shown(customary: readonly Position[]): readonly Position[] {
    const { group, client } = this.#term;
    if (group === undefined) return [];
    const { clusterId } = client.cluster;
    return customary.filter(({ mark }) => mark !== undefined && parseMark(mark)?.clusterId === clusterId);
  }

  /** @throws ConfigError the group is somebody else's */
  async #checkGroup(signal: AbortSignal): Promise<void> {
    const { client, jobName, group } = this.#term;
    if (group === undefined || this.#isGroupChecked) return;
    if (!group.adopt) {
      const hint = "give the job another name, or write over them: ?adoptGroup=true, kafkaStore({ adoptGroup: true })";
      const own = { client, groupId: jobName, lineageId: group.lineageId, hint };
      // A cluster's first group waits for its topic to be made.
      const check = async () => {
        const coordinator = await client.coordinator(jobName, signal);
        await checkGroupIsOwn({ ...own, coordinator }, signal);
      };
      await patiently(GROUP_WITHIN_MS, check, signal);
    }
    this.#isGroupChecked = true;
  }
}

/**
 * Appends the entry that begins a term, in a transaction of its own.
 * @throws OutcomeUnknownError the answer was lost; TransientError nothing was appended, see isFenced; ConfigError
 */
export async function appendEntry(
  shared: SharedProducer,
  { topic, jobName }: Pick<KafkaTerm, "topic" | "jobName">,
  begun: NumberedEntry,
  signal: AbortSignal,
): Promise<void> {
  const turn = await shared.turn(signal);
  try {
    await turn.producer.send([entryBatch(topic, jobName, begun)], signal);
    await turn.producer.commit(signal);
  } catch (error) {
    await giveUp(turn.producer);
    throw error;
  } finally {
    turn.release();
  }
}

/** Whether a newer producer of the same id may have shut this one out; nothing was committed then. */
export function isFenced(error: unknown): boolean {
  return error instanceof TidemarkError && FENCED_CODES.includes(error.code);
}

/**
 * Whether the broker has answered that it failed at ending the transaction (which it does now and then when several end
 * the same one): that is of unknown outcome, but the next producer is answered.
 */
export function isServerFailure(error: unknown): boolean {
  return error instanceof OutcomeUnknownError && messageOf(error.cause).includes("UNKNOWN_SERVER_ERROR");
}

/** Ends the transaction if that can be done; else the next producer, or its timeout, does it. */
async function giveUp(producer: TransactionalProducer): Promise<void> {
  await producer.abort(AbortSignal.timeout(ABORT_WITHIN_MS)).catch(() => undefined);
}
