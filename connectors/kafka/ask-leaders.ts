// One question to many partitions: grouped by leader, one request a broker, all at the same time. Where the answer is
// that the leader has moved, or a broker is away, the cluster is asked anew and the rest of the question put again,
// within bounds. An answer that no repetition changes (not allowed) ends it at once.
import { partitionKey, TidemarkError, type TopicPartition, TransientError } from "../../runtime/index.ts";
import type { Cluster, LocatedPartition } from "./cluster.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { Patience } from "./patience.ts";

/** How long a question goes on looking for a leader. */
const PATIENCE_MS = 15_000;

/** A partition's offset, with the epoch of the leader that wrote up to there (−1: unknown). */
export interface FoundOffset extends TopicPartition {
  /** −1: there is no such place. */
  readonly offset: bigint;
  readonly leaderEpoch: number;
}

/** What a leader says of one partition. */
interface LeaderAnswer extends FoundOffset {
  readonly errorCode: number;
}

type Ask = (leader: BrokerAddress, located: readonly LocatedPartition[]) => Promise<readonly LeaderAnswer[]>;

/** What is known of the cluster, and how to know it anew. */
interface Knowledge {
  readonly cluster: Cluster;
  refresh(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void>;
}

/**
 * One answer for each partition, in no order.
 * @throws TransientError some partition has no leader for too long
 * @throws ConfigError not allowed
 */
export async function askLeaders(
  knowledge: Knowledge,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
  ask: Ask,
): Promise<FoundOffset[]> {
  const found: FoundOffset[] = [];
  const patience = new Patience(PATIENCE_MS);
  for (let missing = partitions; missing.length > 0; ) {
    const failures: TidemarkError[] = [];
    const groups = byLeader(knowledge.cluster, missing, failures);
    await Promise.all(groups.map(([leader, located]) => askOne(leader, located, ask, found, failures)));
    const failure = failures.find((error) => !error.retryable) ?? failures[0];
    if (failure === undefined) break;
    if (!failure.retryable) throw failure;
    const done = new Set(found.map(partitionKey));
    missing = missing.filter((partition) => !done.has(partitionKey(partition)));
    await patience.wait(failure, signal);
    await knowledge.refresh(missing, signal);
  }
  return found;
}

async function askOne(
  leader: BrokerAddress,
  located: readonly LocatedPartition[],
  ask: Ask,
  found: FoundOffset[],
  failures: TidemarkError[],
): Promise<void> {
  try {
    for (const { errorCode, ...answer } of await ask(leader, located)) {
      if (errorCode === BrokerError.none) found.push(answer);
      else
        failures.push(
          brokerError(errorCode, `find offsets of ${answer.topic}:${answer.partition}`, formatBroker(leader)),
        );
    }
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    failures.push(error);
  }
}

function byLeader(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  failures: TidemarkError[],
): (readonly [BrokerAddress, LocatedPartition[]])[] {
  const groups = new Map<string, readonly [BrokerAddress, LocatedPartition[]]>();
  for (const partition of partitions) {
    try {
      const located = cluster.locate(partition);
      const address = formatBroker(located.leader);
      const group = groups.get(address) ?? ([located.leader, []] as const);
      group[1].push(located);
      groups.set(address, group);
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      failures.push(error);
    }
  }
  return [...groups.values()];
}
