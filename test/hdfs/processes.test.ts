// Real processes with their checkpoint in HDFS.
import { afterAll, beforeAll } from "vitest";
import { storeProcesses } from "../contracts/store-processes.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";

let inHdfs: TestFolder;
beforeAll(async () => {
  inHdfs = await testFolder();
}, serverStartTimeoutMs);
afterAll(() => inHdfs[Symbol.asyncDispose]());

storeProcesses({
  name: "HDFS",
  newPlace() {
    const name = newName("job");
    return { name, url: inHdfs.urlOf(name) };
  },
  wrong: { url: "webhdfs://me:secret@127.0.0.1:9870/a", says: /has no name node that can be read/, hides: "secret" },
});
