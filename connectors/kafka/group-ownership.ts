// Whose the offsets of a consumer group are: each offset that a job writes has metadata that names the job's lineage.
// Offsets of anybody else, another lineage of the same job included, are not to be written over.

import { ConfigError } from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { offsetFetchV8 } from "./library.ts";

/** Version 8 of the request sends no epoch. */
const NO_EPOCH = -1;

/** What an offset's metadata says when a job of this lineage wrote it. */
export function ownMark(lineageId: string): string {
  return `tidemark ${lineageId}`;
}

/** A group, and who keeps it. */
interface Group {
  readonly client: KafkaClient;
  readonly coordinator: BrokerAddress;
  readonly groupId: string;
}

export interface OwnGroup extends Group {
  readonly lineageId: string;
  /** What to do when it is somebody else's. */
  readonly hint: string;
}

/** @throws ConfigError the group has offsets that this job did not write; TransientError */
export async function checkGroupIsOwn({ lineageId, hint, ...group }: OwnGroup, signal: AbortSignal): Promise<void> {
  const strange = (await committedIn(group, signal)).find(({ metadata }) => metadata !== ownMark(lineageId));
  if (strange === undefined) return;
  const where = `${strange.topic}:${strange.partition}`;
  throw new ConfigError(`there are offsets in the group "${group.groupId}" that this job did not write (${where})`, {
    code: "KAFKA_GROUP_NOT_OWN",
    hint,
  });
}

/**
 * Whether the group has offsets that a job of another lineage wrote.
 * @throws ConfigError it may not be read; TransientError
 */
export async function hasOtherLineage(
  { lineageId, ...group }: Group & { readonly lineageId: string },
  signal: AbortSignal,
): Promise<boolean> {
  const prefix = ownMark("");
  const isOther = ({ metadata }: Committed) => metadata.startsWith(prefix) && metadata !== ownMark(lineageId);
  return (await committedIn(group, signal)).some(isOther);
}

/**
 * The lineage of the job that wrote offsets of the group; undefined: none are a job's.
 * @throws ConfigError it may not be read; TransientError
 */
export async function shownLineage(group: Group, signal: AbortSignal): Promise<string | undefined> {
  const prefix = ownMark("");
  const marked = (await committedIn(group, signal)).find(({ metadata }) => metadata.startsWith(prefix));
  return marked?.metadata.slice(prefix.length);
}

interface Committed {
  readonly topic: string;
  readonly partition: number;
  readonly metadata: string;
}

async function committedIn(
  { client, coordinator, groupId }: Group,
  signal: AbortSignal,
): Promise<readonly Committed[]> {
  // null: all topics.
  const asked = [{ groupId, memberEpoch: NO_EPOCH, topics: null }];
  const answer = await client.call(coordinator, offsetFetchV8.api, [asked, false], signal);
  const group = answer.groups[0];
  if (group === undefined || group.errorCode !== BrokerError.none) {
    throw brokerError(group?.errorCode ?? -1, `read the offsets of group ${groupId}`, formatBroker(coordinator));
  }
  return group.topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ committedOffset }) => committedOffset >= 0n)
      .map(({ partitionIndex, metadata }) => ({ topic: name, partition: partitionIndex, metadata: metadata ?? "" })),
  );
}
