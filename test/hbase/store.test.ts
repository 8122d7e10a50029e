// The checkpoint store's contract suite on a real HBase.
import { afterAll, beforeAll } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
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
