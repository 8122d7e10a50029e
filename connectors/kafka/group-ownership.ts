// Whose the offsets of a consumer group are: each offset that a job writes has metadata that names the job's lineage.
// Offsets of anybody else, another lineage of the same job included, are not to be written over.
import { offsetFetchV8 } from "@platformatic/kafka";
import { ConfigError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";

/** Version 8 of the request sends no epoch. */
const NO_EPOCH = -1;

/** What an offset's metadata says when a job of this lineage wrote it. */
export function ownMark(lineageId: string): string {
  return `tidemark ${lineageId}`;
}

export interface OwnGroup {
  readonly client: KafkaClient;
  readonly coordinator: BrokerAddress;
  readonly groupId: string;
  readonly lineageId: string;
  /** What to do when it is somebody else's. */
  readonly hint: string;
}

/** @throws ConfigError the group has offsets that this job did not write; TransientError */
export async function checkGroupIsOwn(
  { client, coordinator, groupId, lineageId, hint }: OwnGroup,
  signal: AbortSignal,
): Promise<void> {
  // null: all topics.
  const asked = [{ groupId, memberEpoch: NO_EPOCH, topics: null }];
  const answer = await client.call(coordinator, offsetFetchV8.api, [asked, false], signal);
  const group = answer.groups[0];
  if (group === undefined || group.errorCode !== BrokerError.none) {
    throw brokerError(group?.errorCode ?? -1, `read the offsets of group ${groupId}`, formatBroker(coordinator));
  }
  const strange = group.topics
    .flatMap(({ name, partitions }) => partitions.map((partition) => ({ topic: name, ...partition })))
    .find(({ committedOffset, metadata }) => committedOffset >= 0n && metadata !== ownMark(lineageId));
  if (strange === undefined) return;
  const where = `${strange.topic}:${strange.partitionIndex}`;
  throw new ConfigError(`there are offsets in the group "${groupId}" that this job did not write (${where})`, {
    code: "KAFKA_GROUP_NOT_OWN",
    hint,
  });
}
