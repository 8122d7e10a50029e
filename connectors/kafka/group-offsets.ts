// `kafkaGroup`: the offsets of a consumer group as a place that positions are imported from. The group must be at rest;
// offsets of a transaction that is still open are waited for. Nothing is joined and nothing is written.

import {
  ConfigError,
  type Position,
  type SavedPositions,
  type SavedPositionsPlace,
  TransientError,
} from "../../runtime/index.ts";
import { KafkaClient } from "./client.ts";
import {
  type BrokerAddress,
  checkConnectionOptions,
  formatBroker,
  type KafkaConnectionOptions,
} from "./connection-options.ts";
import { parseConnectionUrl } from "./connection-url.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { listGroupsV4, offsetFetchV8 } from "./library.ts";
import { Patience } from "./patience.ts";
import { formatMark } from "./position-mark.ts";

const EXAMPLE = "kafka://127.0.0.1:9092?group=billing";
const NO_MEMBER_EPOCH = -1;
/** States in which nobody consumes (https://kafka.apache.org/documentation, "Listing consumer groups"). */
const AT_REST = ["Empty", "Dead"];
/** A coordinator that moves, or a transaction that commits offsets, is waited for this long. */
const PATIENCE_MS = 15_000;

export interface KafkaGroupOptions extends KafkaConnectionOptions {
  readonly groupId: string;
}

/**
 * The committed offsets of a consumer group.
 * @param group `kafka://[user:password@]host:9092,host:9092?group=GROUP[&tls=true][&mechanism=SCRAM-SHA-256]`, or
 * options, which take certificates and tokens as well
 * @throws ConfigError an option, or the URL, cannot be right
 */
export function kafkaGroup(group: string | KafkaGroupOptions): SavedPositionsPlace {
  const { groupId, ...connection } = typeof group === "string" ? parseGroupUrl(group) : group;
  if (typeof groupId !== "string" || groupId === "") {
    throw new ConfigError("which consumer group?", { hint: `write ${EXAMPLE}` });
  }
  checkConnectionOptions(connection, groupId);
  return {
    url: `kafka://${connection.brokers.join(",")}?group=${encodeURIComponent(groupId)}`,
    async read(signal) {
      await using client = await KafkaClient.open(connection, `import-of-${groupId}`, signal);
      const patience = new Patience(PATIENCE_MS);
      for (;;) {
        try {
          return await read(client, groupId, signal);
        } catch (error) {
          if (!(error instanceof TransientError)) throw error;
          await patience.wait(error, signal);
        }
      }
    },
  };
}

function parseGroupUrl(url: string): KafkaGroupOptions {
  const { connection, path, parameters } = parseConnectionUrl(url, EXAMPLE);
  const [groupId, ...more] = parameters.getAll("group");
  parameters.delete("group");
  if (path === "" && groupId !== undefined && more.length === 0 && parameters.size === 0) {
    return { ...connection, groupId };
  }
  const [unknown] = parameters.keys();
  const what =
    unknown === undefined
      ? "names one group and nothing behind the hosts"
      : `has no parameter ${JSON.stringify(unknown)}`;
  throw new ConfigError(`the URL of a consumer group's offsets ${what}`, { hint: `write ${EXAMPLE}` });
}

async function read(client: KafkaClient, groupId: string, signal: AbortSignal): Promise<SavedPositions> {
  const coordinator = await client.coordinator(groupId, signal);
  await checkAtRest(client, coordinator, groupId, signal);
  const committed = await committedOffsets(client, coordinator, groupId, signal);
  // Somebody may have begun to consume between the first look and the answer.
  await checkAtRest(client, coordinator, groupId, signal);
  if (committed.length === 0) {
    throw new ConfigError(`the consumer group "${groupId}" has no offsets at ${formatBroker(coordinator)}`, {
      hint: "kafka-consumer-groups --list shows the groups that there are; offsets expire when a group is idle",
    });
  }
  const topics = [...new Set(committed.map(({ topic }) => topic))];
  await client.metadata(topics, signal);
  const positions: Position[] = [];
  const gone = new Set<string>();
  for (const { topic, partition, offset, leaderEpoch } of committed) {
    const known = client.cluster.topic(topic);
    if (known === undefined) gone.add(topic);
    if (known === undefined) continue;
    const mark = formatMark({ clusterId: client.cluster.clusterId, topicId: known.topicId, leaderEpoch });
    positions.push({ topic, partition, offset, mark });
  }
  const notes = gone.size === 0 ? [] : [`left out, for the topic is gone: ${[...gone].join(", ")}`];
  return { positions, nextBatchId: 0, inFlight: undefined, notes };
}

async function checkAtRest(client: KafkaClient, broker: BrokerAddress, groupId: string, signal: AbortSignal) {
  const { groups } = await client.call(broker, listGroupsV4.api, [[], []], signal);
  const found = groups.find((group) => group.groupId === groupId);
  if (found === undefined || AT_REST.includes(found.groupState)) return;
  throw new ConfigError(`the consumer group "${groupId}" is in use (${found.groupState})`, {
    hint: "stop its consumers first; a group comes to rest when their sessions have ended",
  });
}

async function committedOffsets(client: KafkaClient, broker: BrokerAddress, groupId: string, signal: AbortSignal) {
  // null: all topics. true: not while a transaction that changes them is open.
  const asked = [{ groupId, memberEpoch: NO_MEMBER_EPOCH, topics: null }];
  const answer = await client.call(broker, offsetFetchV8.api, [asked, true], signal);
  const refused = (code: number) => brokerError(code, `read the offsets of group ${groupId}`, formatBroker(broker));
  const group = answer.groups[0];
  if (group === undefined || group.errorCode !== BrokerError.none) throw refused(group?.errorCode ?? -1);
  return group.topics.flatMap(({ name: topic, partitions }) =>
    partitions.flatMap(({ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch, errorCode }) => {
      if (errorCode !== BrokerError.none) throw refused(errorCode);
      return offset < 0n ? [] : [{ topic, partition, offset, leaderEpoch: committedLeaderEpoch }];
    }),
  );
}
