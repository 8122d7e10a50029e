// Everything that a reader with read_committed sees in a source's topics now: partition after partition, in order.
import type { Source, SourceRecord } from "../../runtime/index.ts";

async function readRecords<V, K>(source: Source<SourceRecord<V, K>>): Promise<readonly SourceRecord<V, K>[]> {
  const { signal } = new AbortController();
  const warn = (message: string) => {
    throw new Error(message);
  };
  await using reader = await source.open({ jobName: "read-topic", baseDir: ".", warn }, signal);
  const records: SourceRecord<V, K>[] = [];
  for (const { topic, partition, earliest, latest } of await reader.partitions(signal)) {
    const range = { topic, partition, fromOffset: earliest, untilOffset: latest };
    for await (const chunk of reader.read(range, { signal, skip: new Set() })) records.push(...chunk.records);
  }
  return records;
}

/** Their values, up to the last stable offset of each partition. */
export async function readTopic<V, K>(source: Source<SourceRecord<V, K>>): Promise<readonly V[]> {
  return (await readRecords(source)).map(({ value }) => value);
}
