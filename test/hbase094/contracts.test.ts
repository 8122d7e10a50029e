// The contract suites on a real HBase 0.94: at night, for few still have one.
import { afterAll, beforeAll, describe } from "vitest";
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster094, testCluster094 } from "./cluster.ts";

describe.skipIf(process.env["NIGHTLY"] === undefined)("at night", () => {
  let test: TestCluster094;
  beforeAll(async () => {
    test = await testCluster094();
  }, serverStartTimeoutMs);
  afterAll(() => test[Symbol.asyncDispose]());

  checkpointStoreContract({
    name: "HBase 0.94",
    open: async () => hbaseStore(test),
    newJobName: () => newName("job"),
  });
});
