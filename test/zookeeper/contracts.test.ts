// The checkpoint store's contract suite on a real ZooKeeper.
import { afterAll, beforeAll } from "vitest";
import { zookeeperStore } from "../../checkpoints/zookeeper.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestEnsemble, testEnsemble } from "./ensemble.ts";

let ensemble: TestEnsemble;
beforeAll(async () => {
  ensemble = await testEnsemble();
}, serverStartTimeoutMs);
afterAll(() => ensemble[Symbol.dispose]());

checkpointStoreContract({
  name: "ZooKeeper",
  open: async () => zookeeperStore({ servers: ensemble.servers, root: ensemble.root }),
  newJobName: () => newName("job"),
});
