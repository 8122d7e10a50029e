// What a position remembers of its log: `<cluster id>/<topic id>/<leader epoch>`. The two ids decide whether it is the
// same log: a topic that was deleted and created again has another id. The epoch is that of the log's end when the mark
// was made, at least that of the records before the position: it tells whether the log was cut below it since.

/** A mark's parts. */
export interface LogIdentity {
  readonly clusterId: string;
  readonly topicId: string;
  /** −1: unknown. */
  readonly leaderEpoch: number;
}

const MARK = /^([^/]{1,100})\/([0-9a-f-]{36})\/(-1|\d{1,10})$/;

/** A mark as it is kept with a position: at most 150 bytes. */
export function formatMark({ clusterId, topicId, leaderEpoch }: LogIdentity): string {
  return `${clusterId}/${topicId}/${leaderEpoch}`;
}

/** The parts of a mark; undefined when it is none of Kafka's. */
export function parseMark(mark: string): LogIdentity | undefined {
  const [, clusterId, topicId, leaderEpoch] = MARK.exec(mark) ?? [];
  if (clusterId === undefined || topicId === undefined || leaderEpoch === undefined) return undefined;
  return { clusterId, topicId, leaderEpoch: Number(leaderEpoch) };
}
