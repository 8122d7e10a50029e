// What the broker says of a transactional id. A commit is final when it is answered, and readers see it a moment later,
// when its markers are in every partition's log.
import { describeTransactionsV0 } from "@platformatic/kafka";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { transactionCoordinator } from "../../connectors/kafka/transaction-requests.ts";
import { waitUntil } from "../servers/wait-until.ts";

const WITHIN_MS = 30_000;

/**
 * The state: "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort" …; undefined:
 * unknown id.
 */
export async function transactionState(bootstrap: string, transactionalId: string): Promise<string | undefined> {
  const signal = AbortSignal.timeout(WITHIN_MS);
  await using client = await KafkaClient.open({ brokers: [bootstrap] }, "tests", signal);
  const coordinator = await transactionCoordinator(client, transactionalId, signal);
  const answer = await client.call(coordinator, describeTransactionsV0.api, [[transactionalId]], signal);
  const [state] = answer.transactionStates;
  return state?.errorCode === 0 ? state.transactionState : undefined;
}

/** Waits until no end of a transaction of this id is under way. */
export async function untilTransactionRests(bootstrap: string, transactionalId: string): Promise<void> {
  const rests = async () => !(await transactionState(bootstrap, transactionalId))?.startsWith("Prepare");
  const signal = AbortSignal.timeout(WITHIN_MS);
  await waitUntil(rests, { what: `the end of ${transactionalId}'s transaction`, withinMs: WITHIN_MS, signal });
}
