// Writes a job's positions to the consumer group of its name, so that lag shows in the tools people have. No position
// is ever read back from there, and every failure to write is one warning. Each offset's metadata says whose it is: a
// group whose offsets are not this job's is left alone, unless the job adopts it; and a job that has no log is told
// whose log there was.

import {
  ConfigError,
  comparePartitions,
  messageOf,
  type Position,
  type ShownPositions,
  TransientError,
} from "../../runtime/index.ts";
import type { KafkaClient } from "./client.ts";
import { addressOf } from "./compacted-topic.ts";
import { type BrokerAddress, formatBroker } from "./connection-options.ts";
import { checkGroupIsOwn, ownMark, shownLineage } from "./group-ownership.ts";
import { BrokerError, brokerError } from "./kafka-errors.ts";
import { offsetCommitV8 } from "./library.ts";
import { Patience, patiently } from "./patience.ts";

/** The group's protocol is not used: offsets are written from outside, as kafka-consumer-groups does. */
const NO_GENERATION = -1;
const NO_MEMBER = "";
const UNKNOWN_EPOCH = -1;
/** A cluster's first group waits for its topic to be made. */
const PATIENCE_MS = 5_000;
const READ_WITHIN_MS = 15_000;

export interface GroupMirrorOptions {
  readonly client: KafkaClient;
  readonly groupId: string;
  /** true: writes over offsets that are not this job's. */
  readonly adopt: boolean;
  readonly warn: (message: string) => void;
}

/** The mirror of one job's positions in one consumer group. */
export class GroupMirror {
  private readonly options: GroupMirrorOptions;
  private coordinator: BrokerAddress | undefined;
  private isOurs = false;
  private isRefused = false;
  private hasWarned = false;

  constructor(options: GroupMirrorOptions) {
    this.options = options;
  }

  /**
   * Writes the positions of all partitions; tries for some seconds, and warns the first time that it cannot. Rejects
   * only when told to stop.
   */
  async write(positions: readonly Position[], lineageId: string, signal: AbortSignal): Promise<void> {
    if (this.isRefused || positions.length === 0) return;
    const patience = new Patience(PATIENCE_MS);
    try {
      for (;;) {
        const failure = await this.attempt(positions, lineageId, signal);
        if (failure === undefined) return;
        await patience.wait(failure, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      this.isRefused = error instanceof ConfigError;
      if (!this.hasWarned) this.warn(error);
      this.hasWarned = true;
    }
  }

  /**
   * Whose offsets the group has, where a job wrote them. undefined as well where they may be written over, or may not
   * be read: the first write warns of that.
   * @throws TransientError
   */
  async shown(signal: AbortSignal): Promise<ShownPositions | undefined> {
    const { client, groupId, adopt } = this.options;
    if (adopt) return undefined;
    const look = async () => {
      const coordinator = await client.coordinator(groupId, signal);
      return await shownLineage({ client, coordinator, groupId }, signal);
    };
    const lineageId = await patiently(READ_WITHIN_MS, look, signal).catch((error: unknown) => {
      if (error instanceof ConfigError) return undefined;
      throw error;
    });
    if (lineageId === undefined) return undefined;
    const remove = `kafka-consumer-groups --bootstrap-server ${addressOf(client)} --delete --group ${groupId}`;
    const toForget = `${remove} (or adoptGroup: true on the source; another job of that name needs a name of its own)`;
    return { lineageId, where: `the consumer group "${groupId}"`, toForget };
  }

  /** Writes once. Returns what may pass; throws what does not. */
  private async attempt(
    positions: readonly Position[],
    lineageId: string,
    signal: AbortSignal,
  ): Promise<TransientError | undefined> {
    try {
      this.coordinator ??= await this.options.client.coordinator(this.options.groupId, signal);
      if (!this.isOurs) await this.checkIsOurs(this.coordinator, lineageId, signal);
      this.isOurs = true;
      await this.commit(this.coordinator, positions, lineageId, signal);
      return undefined;
    } catch (error) {
      this.coordinator = undefined;
      if (error instanceof TransientError) return error;
      throw error;
    }
  }

  private async checkIsOurs(coordinator: BrokerAddress, lineageId: string, signal: AbortSignal): Promise<void> {
    const { client, groupId, adopt } = this.options;
    const hint = "set adoptGroup: true to write over them, or mirrorOffsetsToGroup: false";
    if (!adopt) await checkGroupIsOwn({ client, coordinator, groupId, lineageId, hint }, signal);
  }

  private warn(error: unknown): void {
    const { groupId, warn } = this.options;
    const hint = error instanceof ConfigError && error.hint !== undefined ? ` (${error.hint})` : "";
    warn(`the consumer group "${groupId}" does not show this job's offsets: ${messageOf(error)}${hint}`);
  }

  private async commit(
    broker: BrokerAddress,
    positions: readonly Position[],
    lineageId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, groupId } = this.options;
    const topics = new Map<string, ReturnType<typeof committed>[]>();
    for (const position of [...positions].sort(comparePartitions)) {
      const partitions = topics.get(position.topic) ?? [];
      partitions.push(committed(position, lineageId));
      topics.set(position.topic, partitions);
    }
    const asked = [...topics].map(([name, partitions]) => ({ name, partitions }));
    const request: Parameters<typeof offsetCommitV8.createRequest> = [groupId, NO_GENERATION, NO_MEMBER, null, asked];
    const answer = await client.call(broker, offsetCommitV8.api, request, signal);
    const failed = answer.topics.flatMap(({ partitions }) => partitions).find(({ errorCode }) => errorCode !== 0);
    if (failed === undefined) return;
    if (failed.errorCode === BrokerError.unknownMemberId) {
      throw new TransientError("consumers are using it");
    }
    throw brokerError(failed.errorCode, `write the offsets of group ${groupId}`, formatBroker(broker));
  }
}

function committed({ partition, offset }: Position, lineageId: string) {
  return {
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: UNKNOWN_EPOCH,
    committedMetadata: ownMark(lineageId),
  };
}
