// What brokers' refusals of writing mean, and what to do about each. Messages name the topic and the setting. Whatever
// may have another writer behind it is a reason to look at the log, which knows who is the rightful one; so is whatever
// only a new producer can put right.

import { ConfigError, type ErrorDetails, type TidemarkError, TransientError } from "../../runtime/index.ts";
import { brokerError } from "./kafka-errors.ts";
import { protocolErrors, protocolErrorsCodesById } from "./library.ts";

/**
 * The brokers' error codes about writing that are told apart (https://kafka.apache.org/protocol#protocol_error_codes).
 */
export const WriteError = {
  unknownServerError: -1,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  notController: 41,
  policyViolation: 44,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidProducerIdMapping: 49,
  invalidTransactionTimeout: 50,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  invalidRecord: 87,
  producerFenced: 90,
} as const;

/** Another writer may have taken the transactional id over. */
const FENCED: ReadonlySet<number> = new Set([
  WriteError.invalidProducerEpoch,
  WriteError.invalidProducerIdMapping,
  WriteError.producerFenced,
]);
/** The coordinator is on its way: the same request can be repeated. */
const REPEATABLE: ReadonlySet<number> = new Set([
  WriteError.coordinatorLoading,
  WriteError.coordinatorNotAvailable,
  WriteError.notCoordinator,
  WriteError.concurrentTransactions,
]);

/** The code of errors that say that another writer took over. */
export const SINK_FENCED = "SINK_FENCED";

/** Whether a request about a transaction was not carried out, and may be repeated as it is. */
export function isRepeatable(code: number): boolean {
  return REPEATABLE.has(code);
}

/** Whether a refusal may come from a transaction that the broker gave up. */
export function mayBeTimeout(code: number): boolean {
  return FENCED.has(code) || code === WriteError.invalidTxnState;
}

export interface RefusedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly errorMessage: string | undefined;
  /** host:port */
  readonly broker: string;
}

/** What it means that a broker does not take a record batch. */
export function refusedBatch({ topic, partition, errorCode, errorMessage, broker }: RefusedBatch): TidemarkError {
  const words = errorMessage === undefined ? "" : ` (${errorMessage})`;
  const said = `Kafka at ${broker} cannot write to ${topic}:${partition}: ${nameOf(errorCode)}${words}`;
  switch (errorCode) {
    case WriteError.messageTooLarge:
    case WriteError.recordListTooLarge:
      return new ConfigError(
        said,
        details(
          errorCode,
          `raise max.message.bytes of the topic "${topic}" (kafka-configs --alter --entity-type topics), ` +
            "or set a lower recordBatchMaxBytes if it is no single record that is too large",
        ),
      );
    case WriteError.notEnoughReplicas:
    case WriteError.notEnoughReplicasAfterAppend:
      return new TransientError(
        said,
        details(errorCode, `fewer replicas of "${topic}" are in sync than its min.insync.replicas asks for`),
      );
    case WriteError.topicAuthorizationFailed:
      return new ConfigError(said, details(errorCode, `allow it: kafka-acls --add --operation Write --topic ${topic}`));
    case WriteError.invalidRecord:
      return new ConfigError(
        said,
        details(errorCode, `does "${topic}" have cleanup.policy=compact? then each record needs a key: key: "id"`),
      );
    case WriteError.policyViolation:
      return new ConfigError(said, details(errorCode, `the cluster has a rule against this for "${topic}"`));
    default:
      return FENCED.has(errorCode)
        ? fenced(said, errorCode)
        : brokerError(errorCode, `write to ${topic}:${partition}`, broker);
  }
}

export interface RefusedTransaction {
  readonly errorCode: number;
  /** What was asked for: "begin a transaction". */
  readonly doing: string;
  readonly transactionalId: string;
  /** host:port */
  readonly broker: string;
}

/** What it means that the coordinator refuses something about a transaction. */
export function refusedTransaction({ errorCode, doing, transactionalId, broker }: RefusedTransaction): TidemarkError {
  const said = `Kafka at ${broker} cannot ${doing} (${transactionalId}): ${nameOf(errorCode)}`;
  switch (errorCode) {
    case WriteError.transactionalIdAuthorizationFailed:
      return new ConfigError(
        said,
        details(
          errorCode,
          `allow it: kafka-acls --add --operation Write --operation Describe --transactional-id ${transactionalId}`,
        ),
      );
    case WriteError.topicAuthorizationFailed:
      return new ConfigError(said, details(errorCode, "allow it: kafka-acls --add --operation Write --topic …"));
    case WriteError.invalidTransactionTimeout:
      return new ConfigError(
        said,
        details(
          errorCode,
          "set a lower transactionTimeoutMs, or raise the brokers' transaction.max.timeout.ms (15 minutes by default)",
        ),
      );
    default:
      return FENCED.has(errorCode) ? fenced(said, errorCode) : brokerError(errorCode, doing, broker);
  }
}

/** The transaction was open for longer than the broker allows, and the broker gave it up. */
export function timedOut(openMs: number, transactionTimeoutMs: number, cause: unknown): TransientError {
  const seconds = Math.round(openMs / 1000);
  return new TransientError(
    `the batch's transaction was open for ${seconds} s, and the broker gave it up after ${transactionTimeoutMs} ms`,
    {
      code: "KAFKA_TRANSACTION_TIMEOUT",
      cause,
      hint:
        "make batches smaller (maxOffsetsPerBatch), or raise transactionTimeoutMs of the sink " +
        "(and the brokers' transaction.max.timeout.ms, if it is above that)",
    },
  );
}

function fenced(said: string, errorCode: number): TransientError {
  return new TransientError(`${said}: another run has taken over, or the broker gave the transaction up`, {
    ...details(errorCode),
    code: SINK_FENCED,
  });
}

function nameOf(code: number): string {
  return protocolErrorsCodesById[code] ?? `error ${code}`;
}

function details(code: number, hint?: string): ErrorDetails {
  const name = nameOf(code);
  const cause = new Error(protocolErrors[name]?.message ?? name);
  return { code: `KAFKA_${name}`, cause, ...(hint === undefined ? {} : { hint }) };
}
