// A consumer group's offsets as part of a producer's transaction: they become the group's when the transaction is
// committed, and never otherwise. From Kafka 4 on the group's coordinator adds the group to the transaction by itself
// (KIP-890, version 5 of the request). No group is joined: offsets are written from outside.

import { comparePartitions, type Position, type TidemarkError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { addOffsetsToTxnV3, createAPI, txnOffsetCommitV3 } from "./library.ts";
import { Patience, patiently } from "./patience.ts";
import { isRepeatable, refusedTransaction, WriteError } from "./producer-errors.ts";
import { type ProducerIdentity, transactionCoordinator } from "./transaction-requests.ts";

const TXN_OFFSET_COMMIT = 28;
const NO_GENERATION = -1;
const NO_MEMBER = "";
const UNKNOWN_EPOCH = -1;
/** A coordinator that restarts takes seconds. */
const PATIENCE_MS = 15_000;

/** Version 5, of the same bytes as 3, adds the group to the transaction. */
const commitAndAddApi = createAPI<Parameters<typeof txnOffsetCommitV3.createRequest>, CommitAnswer>(
  TXN_OFFSET_COMMIT,
  5,
  txnOffsetCommitV3.createRequest,
  txnOffsetCommitV3.parseResponse,
);
type CommitAnswer = ReturnType<typeof txnOffsetCommitV3.parseResponse>;

/** Offsets of one group. */
export interface GroupOffsets {
  readonly groupId: string;
  /** Next offsets to read. */
  readonly offsets: readonly Position[];
  /** Kept with each of them. */
  readonly metadata: string;
}

/** The open transaction that offsets go into. */
export interface OpenTransaction extends ProducerIdentity {
  readonly client: KafkaClient;
  readonly transactionalId: string;
  readonly coordinator: BrokerAddress;
  /** true: the brokers must be told what is in the transaction. */
  readonly addsPartitions: boolean;
}

/**
 * Sends the offsets. Those of topics that this cluster does not have are left out.
 * @throws ConfigError not allowed; TransientError
 */
export async function sendGroupOffsets(
  transaction: OpenTransaction,
  offsets: GroupOffsets,
  signal: AbortSignal,
): Promise<void> {
  if (transaction.addsPartitions) await addGroup(transaction, offsets.groupId, signal);
  const { client } = transaction;
  const patience = new Patience(PATIENCE_MS);
  for (;;) {
    const coordinator = await patiently(PATIENCE_MS, () => client.coordinator(offsets.groupId, signal), signal);
    const failure = await commitOnce(transaction, coordinator, offsets, signal);
    if (failure === undefined) return;
    await patience.wait(failure, signal);
  }
}

/** @returns why it is to be repeated */
async function commitOnce(
  transaction: OpenTransaction,
  coordinator: BrokerAddress,
  { groupId, offsets, metadata }: GroupOffsets,
  signal: AbortSignal,
): Promise<TidemarkError | undefined> {
  const { client, transactionalId, producerId, producerEpoch, addsPartitions } = transaction;
  const sorted = [...offsets].sort(comparePartitions);
  const topics = [...Map.groupBy(sorted, ({ topic }) => topic)].map(([name, of]) => {
    const partitions = of.map(({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: UNKNOWN_EPOCH,
      committedMetadata: metadata,
    }));
    return { name, partitions };
  });
  const api = addsPartitions ? txnOffsetCommitV3.api : commitAndAddApi;
  const member = [NO_GENERATION, NO_MEMBER, null] as const;
  const answer = await client.call(
    coordinator,
    api,
    [transactionalId, groupId, producerId, producerEpoch, ...member, topics],
    signal,
  );
  const codes = answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
  const isFailure = (code: number) => code !== BrokerError.none && code !== BrokerError.unknownTopicOrPartition;
  const errorCode = codes.find((code) => isFailure(code) && !isRepeatable(code)) ?? codes.find(isFailure);
  if (errorCode === undefined) return undefined;
  const failure = refusedOffsets(transaction, groupId, errorCode, formatBroker(coordinator));
  if (isRepeatable(errorCode)) return failure;
  throw failure;
}

async function addGroup(transaction: OpenTransaction, groupId: string, signal: AbortSignal): Promise<void> {
  const { client, transactionalId, producerId, producerEpoch } = transaction;
  const patience = new Patience(PATIENCE_MS);
  let { coordinator } = transaction;
  for (;;) {
    const request = [transactionalId, producerId, producerEpoch, groupId] as const;
    const { errorCode } = await client.call(coordinator, addOffsetsToTxnV3.api, [...request], signal);
    if (errorCode === BrokerError.none) return;
    const failure = refusedOffsets(transaction, groupId, errorCode, formatBroker(coordinator));
    if (!isRepeatable(errorCode)) throw failure;
    await patience.wait(failure, signal);
    coordinator = await transactionCoordinator(client, transactionalId, signal);
  }
}

function refusedOffsets(
  { transactionalId }: OpenTransaction,
  groupId: string,
  errorCode: number,
  broker: string,
): TidemarkError {
  const doing = `write the offsets of group ${groupId}`;
  const isAboutTopics = errorCode === WriteError.topicAuthorizationFailed;
  if (isAboutTopics || errorCode === BrokerError.groupAuthorizationFailed) return brokerError(errorCode, doing, broker);
  return refusedTransaction({ errorCode, doing, transactionalId, broker });
}
