// The coordinator of a transactional id, what it says of a transaction, and the requests that the Kafka library lacks:
// EndTxn in version 5, where the broker answers with the producer's next epoch (KIP-890).

import { ConfigError, TransientError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError } from "./kafka-errors.ts";
import {
  apiVersionsV3,
  createAPI,
  describeTransactionsV0,
  endTxnV3,
  findCoordinatorV4,
  type Reader,
} from "./library.ts";
import { Patience } from "./patience.ts";
import { refusedTransaction } from "./producer-errors.ts";

const PATIENCE_MS = 15_000;
const END_TXN = 26;
const TRANSACTION = 1;
const CLIENT = ["tidemark", "0"] as const;
/** From this level of the cluster's feature on, brokers add partitions to transactions by themselves. */
const ADDS_PARTITIONS = 2;

/** What a producer is to the brokers. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** What a coordinator answered; the identity is for the next transaction, where it tells one. */
export interface EndTxnAnswer {
  readonly errorCode: number;
  readonly next: ProducerIdentity | undefined;
}

/** EndTxn, for transactions whose partitions were added before. */
export const endApi = createAPI<Parameters<typeof endTxnV3.createRequest>, EndTxnAnswer>(
  END_TXN,
  3,
  endTxnV3.createRequest,
  (_correlationId, _apiKey, _apiVersion, reader) => ({ errorCode: readErrorCode(reader), next: undefined }),
);

/** EndTxn, for transactions whose partitions the brokers added. */
export const endAndRenewApi = createAPI<Parameters<typeof endTxnV3.createRequest>, EndTxnAnswer>(
  END_TXN,
  5,
  endTxnV3.createRequest,
  (_correlationId, _apiKey, _apiVersion, reader) => {
    const errorCode = readErrorCode(reader);
    return { errorCode, next: { producerId: reader.readInt64(), producerEpoch: reader.readInt16() } };
  },
);

function readErrorCode(reader: Reader): number {
  // Throttle time.
  reader.readInt32();
  return reader.readInt16();
}

/**
 * The broker that keeps the transactions of an id. Waits a while for there to be one: in a new cluster the first
 * question makes the topic that transactions are kept in.
 * @throws TransientError there is none now
 * @throws ConfigError not allowed
 */
export async function transactionCoordinator(
  client: KafkaClient,
  transactionalId: string,
  signal: AbortSignal,
): Promise<BrokerAddress> {
  const patience = new Patience(PATIENCE_MS);
  for (;;) {
    let failure = new TransientError("no Kafka broker is known");
    for (const broker of client.cluster.brokers) {
      try {
        return await askCoordinator(client, broker, transactionalId, signal);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        failure = error;
      }
    }
    await patience.wait(failure, signal);
  }
}

async function askCoordinator(
  client: KafkaClient,
  broker: BrokerAddress,
  transactionalId: string,
  signal: AbortSignal,
): Promise<BrokerAddress> {
  const answer = await client.call(broker, findCoordinatorV4.api, [TRANSACTION, [transactionalId]], signal);
  const [found] = answer.coordinators;
  if (found?.errorCode === BrokerError.none) return { host: found.host, port: found.port };
  const errorCode = found?.errorCode ?? -1;
  const doing = "find the transaction coordinator";
  throw refusedTransaction({ errorCode, doing, transactionalId, broker: formatBroker(broker) });
}

/** Whether the cluster's brokers add partitions to transactions by themselves (Kafka 4, unless it was switched off). */
export async function brokersAddPartitions(
  client: KafkaClient,
  coordinator: BrokerAddress,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await client.call(coordinator, apiVersionsV3.api, [...CLIENT], signal);
  const feature = answer.finalizedFeatures?.find(({ name }) => name === "transaction.version");
  return (feature?.maxVersionLevel ?? 0) >= ADDS_PARTITIONS;
}

/**
 * Whether the transaction of this id was told to end, and has not ended in every partition. What was not told to is not
 * acknowledged. undefined: that cannot be known now, or not by this user.
 */
export async function isTransactionEnding(
  client: KafkaClient,
  transactionalId: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  try {
    const coordinator = await transactionCoordinator(client, transactionalId, signal);
    const answer = await client.call(coordinator, describeTransactionsV0.api, [[transactionalId]], signal);
    const [state] = answer.transactionStates;
    return state?.errorCode === BrokerError.none ? state.transactionState.startsWith("Prepare") : undefined;
  } catch (error) {
    if (error instanceof TransientError || error instanceof ConfigError) return undefined;
    throw error;
  }
}
