// The checkpoint store in HDFS: the contract suite on a real name node and DataNode.
import { afterAll, beforeAll } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";

let folder: TestFolder;
beforeAll(async () => {
  folder = await testFolder();
}, serverStartTimeoutMs);
afterAll(() => folder[Symbol.asyncDispose]());

checkpointStoreContract({
  name: "HDFS",
  open: async () => hdfsStore({ url: folder.urlOf("store") }),
  newJobName: () => newName("job"),
  appends: process.env["NIGHTLY"] === undefined ? 200 : 10_000,
});
