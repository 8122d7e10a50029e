// The current offsets of a running job as a short text, for its heartbeat: people may look at them from elsewhere when
// they are ahead of the committed ones (job option `commit`). Advice like the heartbeat itself: what cannot be read, or
// would be too long, is left out.
import { comparePartitions, type Position } from "../contract/positions.ts";

/** A text that would be longer is not made. */
const LONGEST_TEXT = 32_000;

/** `{"topic":{"0":"12"}}`; undefined when it would be too long. */
export function encodeCurrent(positions: readonly Position[]): string | undefined {
  const byTopic = Object.groupBy(positions, ({ topic }) => topic);
  const topics = Object.entries(byTopic).map(([topic, mine = []]) => [
    topic,
    Object.fromEntries(mine.map(({ partition, offset }) => [partition, String(offset)])),
  ]);
  const text = JSON.stringify(Object.fromEntries(topics));
  return text.length > LONGEST_TEXT ? undefined : text;
}

/** The offsets that a heartbeat tells; empty when it tells none that can be read. */
export function decodeCurrent(text: string | undefined): Position[] {
  if (text === undefined || text.length > LONGEST_TEXT) return [];
  try {
    const positions = Object.entries(JSON.parse(text) as Record<string, Record<string, unknown>>).flatMap(
      ([topic, offsets]) =>
        Object.entries(offsets).flatMap(([partition, offset]) => {
          const isOffset = /^\d{1,9}$/.test(partition) && typeof offset === "string" && /^\d{1,19}$/.test(offset);
          return isOffset ? [{ topic, partition: Number(partition), offset: BigInt(offset) }] : [];
        }),
    );
    return positions.sort(comparePartitions);
  } catch {
    return [];
  }
}
