// The checkpoint store's contract suite on a real HBase.
import { afterAll, beforeAll, expect, it } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
import { collect, next, token } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";

let test: TestCluster;
beforeAll(async () => {
  test = await testCluster();
}, serverStartTimeoutMs);
afterAll(() => test[Symbol.asyncDispose]());

checkpointStoreContract({
  name: "HBase",
  open: async () => hbaseStore(test),
  newJobName: () => newName("job"),
});

it("prunes many large entries without asking for more at once than a server's memory holds", async () => {
  const { signal } = new AbortController();
  const [jobName, count] = [newName("large"), 36n];
  await using store = hbaseStore(test);
  await using writer = await store.takeOver(jobName, next("begin"), signal);
  for (let seq = 1n; seq <= count; seq++) {
    const large = { token: token(), bytes: new Uint8Array(4_000_000) };
    expect(await writer.append(seq, large, [], signal)).toEqual({ is: "appended" });
  }
  await writer.prune(count, signal);
  expect(await store.bounds(jobName, signal)).toEqual({ first: count, head: count });
  expect((await collect(store.read(jobName, 0n, signal))).map(({ seq }) => seq)).toEqual([count]);
});
