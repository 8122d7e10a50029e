// Real processes with their checkpoint in HBase.
import { afterAll, beforeAll } from "vitest";
import { storeProcesses } from "../contracts/store-processes.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";

const OFFSETS_TABLE = "stream_kafka_offsets";
const { signal } = new AbortController();

let test: TestCluster;
beforeAll(async () => {
  test = await testCluster();
}, serverStartTimeoutMs);
afterAll(() => test[Symbol.asyncDispose]());

/** The newest offsets that the customary table shows for the topic `in`, by partition. */
async function shown(group: string): Promise<Record<string, string>> {
  const range = { from: Buffer.from(`in:${group}:9`), until: Buffer.from(`in:${group}:`), isReversed: true, limit: 1 };
  const [newest] = await test.cluster.table(OFFSETS_TABLE).scan({ ...range, family: "offsets" }, signal);
  const cells = newest?.cells ?? [];
  return Object.fromEntries(cells.map(({ qualifier, value }) => [qualifier, Buffer.from(value).toString()]));
}

storeProcesses({
  name: "HBase",
  newPlace() {
    const name = newName("job");
    return { name, url: `hbase://${test.zookeeper}/${name}?group=${name}`, shown: () => shown(name) };
  },
  wrong: { url: "hbase://127.0.0.1:x/a", says: /is no server of ZooKeeper/ },
});
