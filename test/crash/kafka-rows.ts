// The records that the crash tests on Kafka feed to a job, and what must have become of them: each is a row, once, and
// in order within its partition.

export const PARTITIONS = 4;

/** A record of the input, and the row that it becomes; `seq` counts the records of `partition` from 0. */
export interface InputRecord {
  readonly id: number;
  readonly partition: number;
  readonly seq: number;
  readonly text: string;
}

/** A row as a reader of the output found it; rows are in the order in which they were written. */
export type FoundRow = Pick<InputRecord, "id" | "partition" | "seq">;

const MOST_PROBLEMS = 5;

/** The input's record at this place. */
export function recordAt(partition: number, seq: number): InputRecord {
  return { id: idOf(partition, seq), partition, seq, text: "x".repeat(seq % 120) };
}

/** What is wrong with the rows, as sentences; none when each of so many records a partition has its row, in order. */
export function problemsOf(rows: readonly FoundRow[], perPartition: number): string[] {
  const found: string[] = [];
  const next: number[] = new Array(PARTITIONS).fill(0);
  for (const { id, partition, seq } of rows) {
    const want = next[partition] ?? 0;
    if (seq !== want || id !== idOf(partition, seq))
      found.push(`partition ${partition} has ${seq} where ${want} is next`);
    next[partition] = seq + 1;
  }
  for (const [partition, seq] of next.entries()) {
    if (seq !== perPartition) found.push(`partition ${partition} ends before ${seq}, not ${perPartition}`);
  }
  if (rows.length !== perPartition * PARTITIONS) {
    found.push(`there are ${rows.length} rows, not ${perPartition * PARTITIONS}`);
  }
  return found.length > MOST_PROBLEMS ? [...found.slice(0, MOST_PROBLEMS), `… ${found.length} problems`] : found;
}

function idOf(partition: number, seq: number): number {
  return seq * PARTITIONS + partition;
}
