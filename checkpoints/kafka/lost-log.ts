// A job without a log whose consumer group has offsets of an earlier log has lost it: then nothing may begin anew in
// silence. Offsets that another program wrote say nothing about that; they are looked at before they are written over.
import { addressOf, hasOtherLineage, type KafkaClient, patiently } from "../../connectors/kafka/for-stores.ts";
import { CheckpointMissingError, ConfigError } from "../../runtime/index.ts";

/** A cluster's first group waits for its topic to be made. */
const GROUP_WITHIN_MS = 15_000;

export interface NewJob {
  readonly client: KafkaClient;
  /** The entries topic, in which there is nothing of the job. */
  readonly topic: string;
  readonly jobName: string;
  readonly lineageId: string;
}

/** @throws CheckpointMissingError; TransientError */
export async function checkNothingIsLost(
  { client, topic, jobName, lineageId }: NewJob,
  signal: AbortSignal,
): Promise<void> {
  const look = async () => {
    const coordinator = await client.coordinator(jobName, signal);
    return await hasOtherLineage({ client, coordinator, groupId: jobName, lineageId }, signal);
  };
  const isLost = await patiently(GROUP_WITHIN_MS, look, signal).catch((error: unknown) => {
    // Whoever may not read the group hears of it when offsets are to be shown there.
    if (error instanceof ConfigError) return false;
    throw error;
  });
  if (!isLost) return;
  const servers = `--bootstrap-server ${addressOf(client)}`;
  throw new CheckpointMissingError(
    `the checkpoint of ${jobName} is gone from the topic "${topic}", and its consumer group shows that there was one`,
    { hint: `bring its records back; to begin anew: kafka-consumer-groups ${servers} --delete --group ${jobName}` },
  );
}
