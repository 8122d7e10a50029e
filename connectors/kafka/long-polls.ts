// Waits until brokers have something beyond the ends of partitions that are known, with one request a broker that the
// broker answers when there is (a long poll). They go over connections of their own, since a broker answers the
// requests of a connection in order. A request that is still out when nobody waits any more is kept for the next wait:
// what it was asked about lies at or before what is asked then. News is what a look at the ends would show too, so that
// a transaction that is open is none. It never reads ahead, and never says that there is nothing. A broker that answers
// at once without any news, as a new leader may that does not know yet how far its log is committed, is asked again
// after a pause that grows.
import type { Position } from "../../runtime/index.ts";
import { abortable, pause } from "./abortable.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { type FetchAnswer, type FetchPartition, fetchApi, fetchArguments } from "./fetch-request.ts";
import { BrokerError } from "./kafka-errors.ts";

/** How long a broker keeps a request; after that it is asked again. */
const MAX_WAIT_MS = 2_000;
/** Nothing of the records is wanted; a broker sends one batch all the same. */
const LEAST_BYTES = 1;
/** An answer without news that comes sooner was not waited for by the broker. */
const TOO_SOON_MS = 100;
/** Before such a broker is asked again, doubled each time. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 320;

export interface LongPollsOptions {
  readonly client: KafkaClient;
  readonly readCommitted: boolean;
}

/** What came of a request; undefined: it failed or was refused, which the next look will explain. */
type Outcome = readonly Omit<FetchAnswer, "bytes">[] | undefined;

/** The ends that one broker has to tell about. */
interface WatchedLeader {
  readonly leader: BrokerAddress;
  readonly ends: FetchPartition[];
}

/** The long polls of one open source: one a broker at most. */
export class LongPolls {
  private readonly options: LongPollsOptions;
  private readonly out = new Map<string, Promise<Outcome>>();
  /** For brokers that answer too soon: the pause before they are asked again. */
  private readonly pauses = new Map<string, number>();
  private readonly never = new AbortController().signal;

  constructor(options: LongPollsOptions) {
    this.options = options;
  }

  /**
   * Resolves when there may be something at or beyond these ends, or something about their partitions has changed.
   * @throws the signal's reason
   */
  async wait(ends: readonly Position[], signal: AbortSignal): Promise<void> {
    const leaders = this.byLeader(ends);
    const known = new Map([...leaders.values()].flatMap((of) => of.ends).map((end) => [keyOf(end), end.fromOffset]));
    for (;;) {
      signal.throwIfAborted();
      const outcomes = [...leaders].map(([address, of]) => this.outcomeOf(address, of));
      if (outcomes.length === 0) return;
      const outcome = await abortable(Promise.race(outcomes), signal);
      if (outcome === undefined || outcome.some((answer) => this.isNews(answer, known.get(keyOf(answer))))) return;
    }
  }

  /** What comes of the request that is out to a broker, or of a new one. Never rejects. */
  private outcomeOf(address: string, { leader, ends }: WatchedLeader): Promise<Outcome> {
    const out = this.out.get(address);
    if (out !== undefined) return out;
    const outcome: Promise<Outcome> = this.ask(address, { leader, ends })
      .catch(() => undefined)
      .finally(() => this.out.delete(address));
    this.out.set(address, outcome);
    return outcome;
  }

  /** Asks a broker, after a pause if it answered too soon before. */
  private async ask(address: string, { leader, ends }: WatchedLeader): Promise<Outcome> {
    const { client } = this.options;
    const maxWaitMs = Math.min(MAX_WAIT_MS, client.requestTimeoutMs / 2);
    const pauseMs = this.pauses.get(address) ?? 0;
    if (pauseMs > 0) await pause(pauseMs, this.never);
    const askedMs = performance.now();
    const answers = await client.callApart(leader, fetchApi, fetchArguments(ends, maxWaitMs), this.never);
    // It refuses the whole request.
    if (answers.some(({ topicId }) => topicId === "")) return undefined;
    const asked = new Map(ends.map((end) => [keyOf(end), end.fromOffset]));
    const isNews = answers.some((answer) => this.isNews(answer, asked.get(keyOf(answer))));
    const isTooSoon = !isNews && performance.now() - askedMs < Math.min(TOO_SOON_MS, maxWaitMs / 2);
    if (isTooSoon) this.pauses.set(address, Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS));
    else this.pauses.delete(address);
    // Only the ends are kept.
    return answers.map(withoutBytes);
  }

  /** Whether an answer tells more than is known; undefined: nobody asks about that partition any more. */
  private isNews(
    { errorCode, highWatermark, lastStableOffset }: Omit<FetchAnswer, "bytes">,
    known: bigint | undefined,
  ): boolean {
    const end = this.options.readCommitted ? lastStableOffset : highWatermark;
    return known !== undefined && (errorCode !== BrokerError.none || end > known);
  }

  /** Partitions without a leader now are left out: nobody could tell. */
  private byLeader(ends: readonly Position[]): ReadonlyMap<string, WatchedLeader> {
    const { client, readCommitted } = this.options;
    const { cluster } = client;
    const leaders = new Map<string, WatchedLeader>();
    for (const { topic, partition, offset } of ends) {
      const { leader, leaderEpoch } = cluster.partition({ topic, partition }) ?? {};
      const topicId = cluster.topic(topic)?.topicId;
      if (leader === undefined || leaderEpoch === undefined || topicId === undefined) continue;
      const address = formatBroker(leader);
      const of = leaders.get(address) ?? { leader, ends: [] };
      of.ends.push({ topicId, partition, leaderEpoch, fromOffset: offset, maxBytes: LEAST_BYTES, readCommitted });
      leaders.set(address, of);
    }
    return leaders;
  }
}

function keyOf({ topicId, partition }: { readonly topicId: string; readonly partition: number }): string {
  return `${topicId}/${partition}`;
}

function withoutBytes({ bytes: _, ...ends }: FetchAnswer): Omit<FetchAnswer, "bytes"> {
  return ends;
}
